/*
 * How long an instruction of 64-bit code is. [SDM2 2.1-2.7 and A.3], [APM3 1.2 and A.1]
 *
 * breakpoints.c has to know where the instructions of a function begin, nothing else about them: prefixes, which opcodes have a ModRM byte, and how many immediate bytes
 * follow. What is not sure (no instruction, or one that processors of the two makers do not read alike) has the length 0.
 */
#include "akvam.h"

enum { LONGEST = 15 };

/* What follows an opcode. */
enum
{
    NONE = 0,
    MODRM = 0x10,
    BYTE = 1,       /* an immediate of one byte */
    TWO = 2,        /* of two */
    THREE = 3,      /* ENTER: two and one */
    OPERAND = 4,    /* of four, or two with prefix 66 and without REX.W */
    WHOLE = 5,      /* of eight with REX.W, otherwise as OPERAND */
    ADDRESS = 6,    /* an address: eight, or four with prefix 67 */
    BRANCH = 7,     /* a distance of four: with prefix 66 two on one maker's processors */
    TEST = 8,       /* of groups F6 and F7: an immediate in two instructions of eight */
    TEST_BYTE = 9,
    NOT_SURE = 0xFF,
};

struct prefixes
{
    bool size, address, wide; /* 66, 67, REX.W */
};

/* A run of opcodes that are followed by the same. */
struct run
{
    uint8_t first, last, follows;
};

/* Opcodes of one byte. What is not here has no operand bytes. */
static const struct run one_byte[] =
{
    {0x06, 0x07, NOT_SURE}, {0x0E, 0x0E, NOT_SURE}, {0x16, 0x17, NOT_SURE}, {0x1E, 0x1F, NOT_SURE}, {0x27, 0x27, NOT_SURE}, {0x2F, 0x2F, NOT_SURE}, {0x37, 0x37, NOT_SURE},
    {0x3F, 0x3F, NOT_SURE}, {0x60, 0x61, NOT_SURE}, {0x63, 0x63, MODRM}, {0x68, 0x68, OPERAND}, {0x69, 0x69, MODRM | OPERAND}, {0x6A, 0x6A, BYTE}, {0x6B, 0x6B, MODRM | BYTE},
    {0x70, 0x7F, BYTE}, {0x80, 0x80, MODRM | BYTE}, {0x81, 0x81, MODRM | OPERAND}, {0x82, 0x82, NOT_SURE}, {0x83, 0x83, MODRM | BYTE}, {0x84, 0x8F, MODRM},
    {0x9A, 0x9A, NOT_SURE}, {0xA0, 0xA3, ADDRESS}, {0xA8, 0xA8, BYTE}, {0xA9, 0xA9, OPERAND}, {0xB0, 0xB7, BYTE}, {0xB8, 0xBF, WHOLE}, {0xC0, 0xC1, MODRM | BYTE},
    {0xC2, 0xC2, TWO}, {0xC6, 0xC6, MODRM | BYTE}, {0xC7, 0xC7, MODRM | OPERAND}, {0xC8, 0xC8, THREE}, {0xCA, 0xCA, TWO}, {0xCD, 0xCD, BYTE}, {0xCE, 0xCE, NOT_SURE},
    {0xD0, 0xD3, MODRM}, {0xD4, 0xD6, NOT_SURE}, {0xD8, 0xDF, MODRM}, {0xE0, 0xE7, BYTE}, {0xE8, 0xE9, BRANCH}, {0xEA, 0xEA, NOT_SURE}, {0xEB, 0xEB, BYTE},
    {0xF6, 0xF6, MODRM | TEST_BYTE}, {0xF7, 0xF7, MODRM | TEST}, {0xFE, 0xFF, MODRM},
};

/* Opcodes behind 0F. What is not here has a ModRM byte and nothing else. */
static const struct run two_bytes[] =
{
    {0x04, 0x04, NOT_SURE}, {0x05, 0x09, NONE}, {0x0A, 0x0A, NOT_SURE}, {0x0B, 0x0B, NONE}, {0x0C, 0x0C, NOT_SURE}, {0x0E, 0x0E, NONE}, {0x0F, 0x0F, MODRM | BYTE},
    {0x24, 0x27, NOT_SURE}, {0x30, 0x35, NONE}, {0x36, 0x36, NOT_SURE}, {0x37, 0x37, NONE}, {0x39, 0x39, NOT_SURE}, {0x3B, 0x3F, NOT_SURE}, {0x70, 0x73, MODRM | BYTE},
    {0x77, 0x77, NONE}, {0x78, 0x79, NOT_SURE}, {0x7A, 0x7B, NOT_SURE}, {0x80, 0x8F, BRANCH}, {0xA0, 0xA2, NONE}, {0xA4, 0xA4, MODRM | BYTE}, {0xA6, 0xA7, NOT_SURE},
    {0xA8, 0xAA, NONE}, {0xAC, 0xAC, MODRM | BYTE}, {0xBA, 0xBA, MODRM | BYTE}, {0xC2, 0xC2, MODRM | BYTE}, {0xC4, 0xC6, MODRM | BYTE}, {0xC8, 0xCF, NONE}, {0xFF, 0xFF, NOT_SURE},
};

static uint8_t look_up(const struct run *runs, size_t count, uint8_t opcode, uint8_t otherwise)
{
    for (size_t i = 0; i < count && runs[i].first <= opcode; i++)
    {
        if (opcode <= runs[i].last)
        {
            return runs[i].follows;
        }
    }

    return otherwise;
}

static uint8_t after_one_byte(uint8_t opcode)
{
    /* The eight arithmetic operations have one pattern, with two other opcodes between each two. */
    if (opcode < 0x40 && (opcode & 7) < 6)
    {
        return (opcode & 7) < 4 ? MODRM : (opcode & 7) == 4 ? BYTE : OPERAND;
    }

    return look_up(one_byte, sizeof one_byte / sizeof one_byte[0], opcode, NONE);
}

/* The maps that VEX, EVEX and XOP name by number too. */
static uint8_t after_map(unsigned map, uint8_t opcode)
{
    switch (map)
    {
        case 1:
            return look_up(two_bytes, sizeof two_bytes / sizeof two_bytes[0], opcode, MODRM);
        case 2:
        case 5:
        case 6:
        case 9:
            return MODRM;
        case 3:
        case 8:
            return MODRM | BYTE;
        case 10:
            return MODRM | OPERAND;
        default:
            return NOT_SURE;
    }
}

/* In the map of two bytes, the vector forms differ from the old ones. */
static uint8_t after_vector(unsigned map, uint8_t opcode)
{
    bool immediate = (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xC2 || (opcode >= 0xC4 && opcode <= 0xC6);
    if (map == 1)
    {
        return opcode == 0x77 ? NONE : immediate ? MODRM | BYTE : MODRM;
    }

    return after_map(map, opcode);
}

/* The length of ModRM, SIB and displacement. */
static size_t modrm_length(const uint8_t *at, const uint8_t *end)
{
    unsigned mode = at[0] >> 6, base = at[0] & 7;
    size_t length = 1;
    if (mode == 3)
    {
        return length;
    }

    if (base == 4)
    {
        if (end - at < 2)
        {
            return LONGEST;
        }

        base = at[1] & 7;
        length++;
    }

    return length + (mode == 1 ? 1 : mode == 2 || base == 5 ? 4 : 0);
}

static size_t immediate_length(uint8_t follows, const struct prefixes *prefixes, uint8_t modrm)
{
    size_t operand = prefixes->size && !prefixes->wide ? 2 : 4;
    switch (follows & 0xF)
    {
        case OPERAND:
            return operand;
        case WHOLE:
            return prefixes->wide ? 8 : operand;
        case ADDRESS:
            return prefixes->address ? 4 : 8;
        case BRANCH:
            return operand == 4 ? 4 : LONGEST + 1;
        case TEST:
            return (modrm & 0x30) == 0 ? operand : 0;
        case TEST_BYTE:
            return (modrm & 0x30) == 0 ? 1 : 0;
        default:
            return follows & 0xF;
    }
}

/* Reads legacy prefixes and REX, which counts directly before the opcode only. */
static const uint8_t *read_prefixes(const uint8_t *at, const uint8_t *end, struct prefixes *prefixes)
{
    for (; at < end; at++)
    {
        switch (*at)
        {
            case 0x66:
                prefixes->size = true;
                break;
            case 0x67:
                prefixes->address = true;
                break;
            case 0x26: case 0x2E: case 0x36: case 0x3E: case 0x64: case 0x65: case 0xF0: case 0xF2: case 0xF3:
                break;
            default:
                if ((*at & 0xF0) != 0x40)
                {
                    return at;
                }

                prefixes->wide = (*at & 8) != 0;
                continue;
        }

        prefixes->wide = false;
    }

    return at;
}

/* The length of the instruction at code, of which so many bytes can be read; 0 if it is not sure that there is one. */
size_t akvam_instruction_length(const uint8_t *code, size_t available)
{
    const uint8_t *end = code + (available < LONGEST ? available : LONGEST);
    struct prefixes prefixes = {0};
    const uint8_t *at = read_prefixes(code, end, &prefixes);
    uint8_t follows, modrm = 0;

    /* The longest opcode is EVEX: three bytes behind its first, and one. */
    uint8_t next[5] = {0};
    for (size_t i = 0; i < sizeof next && at + i < end; i++)
    {
        next[i] = at[i];
    }

    switch (next[0])
    {
        case 0x0F:
            if (next[1] == 0x38 || next[1] == 0x3A)
            {
                follows = after_map(next[1] == 0x38 ? 2 : 3, next[2]);
                at += 3;
            }
            else
            {
                follows = after_map(1, next[1]);
                at += 2;
            }

            /* Moves to and from control and debug registers have no memory form: the mode is ignored. */
            if (next[1] >= 0x20 && next[1] <= 0x23)
            {
                follows = BYTE;
            }

            break;
        case 0xC5:
            follows = after_vector(1, next[2]);
            at += 3;
            break;
        case 0xC4:
            follows = after_vector(next[1] & 0x1F, next[3]);
            follows = (next[1] & 0x1F) > 3 ? NOT_SURE : follows;
            at += 4;
            break;
        case 0x62:
            follows = after_vector(next[1] & 7, next[4]);
            at += 5;
            break;
        case 0x8F:
            /* POP, or XOP: the number of its map begins where that of a register would not be 0. */
            follows = (next[1] & 0x38) == 0 ? MODRM : after_map(next[1] & 0x1F, next[3]);
            at += (next[1] & 0x38) == 0 ? 1 : 4;
            follows = (next[1] & 0x38) != 0 && (next[1] & 0x1F) < 8 ? NOT_SURE : follows;
            break;
        default:
            follows = after_one_byte(next[0]);
            at++;
            break;
    }

    if (follows == NOT_SURE || at > end || ((follows & MODRM) != 0 && at == end))
    {
        return 0;
    }

    if ((follows & MODRM) != 0)
    {
        modrm = *at;
        at += modrm_length(at, end);
    }

    size_t length = (size_t)(at - code) + immediate_length(follows, &prefixes, modrm);
    return length <= (size_t)(end - code) ? length : 0;
}
