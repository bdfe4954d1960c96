/* Adds 6,000 keys and prints what that took. Usage: make bench && ./bench */
#include <stdio.h>
#include "table.h"

int main(void)
{
    unsigned key = 12345;
    for (int i = 0; i < 6000; i++) {
        key = key * 1103515245u + 12345u;
        if (!table_add((key & 0xfffff0u) | 1u)) {
            fprintf(stderr, "the table is full\n");
            return 1;
        }
    }
    printf("{\"keys\": 6000, \"probes\": %lu}\n", table_probes());
    return 0;
}
