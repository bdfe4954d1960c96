/* An open-addressing hash table of fixed memory. What it probes is what it costs. */
#include "table.h"

#define TABLE_BITS 13
#define PROBE_STEP 7
#define MIX_SHIFT 5

static const unsigned multiplier = 40503;
static unsigned slots[1 << TABLE_BITS];
static unsigned long probes;

int table_add(unsigned key)
{
    unsigned mask = (1u << TABLE_BITS) - 1;
    unsigned at = ((key ^ (key >> MIX_SHIFT)) * multiplier) & mask;
    for (unsigned tries = 0; tries <= mask; tries++) {
        probes++;
        if (slots[at] == 0 || slots[at] == key) {
            slots[at] = key;
            return 1;
        }
        at = (at + (PROBE_STEP | 1)) & mask;
    }
    return 0;
}

unsigned long table_probes(void) { return probes; }
