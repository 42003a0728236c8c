/* Writes, for each byte of the file INPUT, how long the instruction that begins there is: a byte each, to the file OUTPUT. No client of KVM. */
#include "length.c"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
    FILE *input = count == 3 ? fopen(arguments[1], "rb") : NULL, *output = count == 3 ? fopen(arguments[2], "wb") : NULL;
    if (input == NULL || output == NULL || fseek(input, 0, SEEK_END) != 0)
    {
        return 2;
    }

    /* As much memory as is read, so that a checker of memory would notice a byte too many. */
    size_t size = (size_t)ftell(input);
    uint8_t *code = malloc(size);
    rewind(input);
    if (code == NULL || fread(code, 1, size, input) != size)
    {
        return 3;
    }

    for (size_t i = 0; i < size; i++)
    {
        putc((int)akvam_instruction_length(code + i, size - i), output);
    }

    return fclose(output) == 0 ? 0 : 4;
}
