// storm: raises SMIs through the chipset's port B2h until it is killed, a write each. The value is one that no firmware has a use for.
#include <stdio.h>
#include <sys/io.h>

int main(void)
{
    if (ioperm(0xB2, 1, 1) != 0)
    {
        perror("storm: port B2h");
        return 1;
    }

    for (;;)
    {
        outb(0x55, 0xB2);
    }
}
