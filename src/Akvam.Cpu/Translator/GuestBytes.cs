namespace Akvam.Cpu.Translator;

/// <summary>Prefixes, opcode and ModRM of an instruction, as they stand in its bytes. REX exists in 64-bit code only.</summary>
internal readonly struct GuestBytes
{
    private const int Group1 = 0x80, Group1Again = 0x82;

    public readonly bool OperandSize;
    public readonly bool Lock;

    /// <summary>F2, F3 or 0.</summary>
    public readonly byte Repeat;
    public readonly byte Rex;

    /// <summary>With its escape bytes.</summary>
    public readonly int Opcode;

    /// <summary>The byte after the opcode.</summary>
    public readonly byte ModRm;

    /// <summary>Where what follows the opcode begins.</summary>
    public readonly int OperandsAt;

    public GuestBytes(ReadOnlySpan<byte> bytes, bool code64)
    {
        int at = 0;
        for (bool prefix = true; ; at++)
        {
            byte b = bytes[at];
            switch (b)
            {
                case 0x66:
                    OperandSize = true;
                    break;
                case 0xF0:
                    Lock = true;
                    break;
                case 0xF2 or 0xF3:
                    Repeat = b;
                    break;
                case 0x26 or 0x2E or 0x36 or 0x3E or 0x64 or 0x65 or 0x67:
                    break;
                case >= 0x40 and <= 0x4F when code64:
                    // Counts only as the last prefix.
                    Rex = b;
                    continue;
                default:
                    Opcode = b;
                    prefix = false;
                    break;
            }

            if (!prefix)
            {
                break;
            }

            Rex = 0;
        }


        if (Opcode == 0x0F)
        {
            Opcode = 0x0F00 | bytes[++at];
            if (Opcode is 0x0F38 or 0x0F3A)
            {
                Opcode = (Opcode << 8) | bytes[++at];
            }
        }

        if (Opcode == Group1Again)
        {
            // Not in 64-bit code.
            Opcode = Group1;
        }

        OperandsAt = at + 1;
        ModRm = at + 1 < bytes.Length ? bytes[at + 1] : (byte)0;
    }

    public bool Wide => (Rex & 8) != 0;

    public int Reg => (ModRm >> 3) & 7;
}
