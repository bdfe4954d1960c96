#ifndef TABLE_H
#define TABLE_H
int table_add(unsigned key);
unsigned long table_probes(void);
#endif
