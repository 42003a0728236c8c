using static Akvam.Cpu.Msr.MsrIndex;

namespace Akvam.Cpu.Msr;

/// <summary>MTRRs and PAT: values are kept and checked; memory types have no effect, because the host's caches are coherent. [APM2 7.7, 7.8]</summary>
internal sealed class MemoryTypes
{
    /// <summary>8 variable ranges, fixed ranges, write combining.</summary>
    public const ulong Capabilities = 0x508;

    private readonly ulong[] _variable = new ulong[16];
    private readonly ulong[] _fixed = new ulong[11];
    private ulong _defaultType;

    /// <summary>All ranges are off and everything is uncached after RESET.</summary>
    public void Reset()
    {
        Array.Clear(_variable);
        Array.Clear(_fixed);
        _defaultType = 0;
    }

    public static bool IsValidPat(ulong value)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((value >> (8 * i) & 0xFF) is not (0 or 1 or 4 or 5 or 6 or 7))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsValidMtrrType(ulong type) => type is 0 or 1 or 4 or 5 or 6;

    public static bool IsMtrr(uint index) => index == MSR_MTRRdefType || index is >= MSR_MTRRphysBase0 and <= MSR_MTRRphysMask7 || FixedNumber(index) >= 0;

    public ulong Read(uint index) =>
        index == MSR_MTRRdefType ? _defaultType : FixedNumber(index) is >= 0 and var n ? _fixed[n] : _variable[index - MSR_MTRRphysBase0];

    public bool TryWrite(uint index, ulong value, ulong reservedAddressBits)
    {
        if (index == MSR_MTRRdefType)
        {
            if ((value & ~0xCFFul) != 0 || !IsValidMtrrType(value & 0xFF))
            {
                return false;
            }

            _defaultType = value;
            return true;
        }

        int n = FixedNumber(index);
        if (n >= 0)
        {
            for (int i = 0; i < 8; i++)
            {
                if (!IsValidMtrrType(value >> (8 * i) & 0xFF))
                {
                    return false;
                }
            }

            _fixed[n] = value;
            return true;
        }

        bool isBase = (index & 1) == 0;
        if ((value & (reservedAddressBits | (isBase ? 0xF00ul : 0x7FF))) != 0 || (isBase && !IsValidMtrrType(value & 0xFF)))
        {
            return false;
        }

        _variable[index - MSR_MTRRphysBase0] = value;
        return true;
    }

    private static int FixedNumber(uint index) => index switch
    {
        MSR_MTRRfix64K_00000 => 0,
        MSR_MTRRfix16K_80000 => 1,
        MSR_MTRRfix16K_A0000 => 2,
        >= MSR_MTRRfix4K_C0000 and <= MSR_MTRRfix4K_F8000 => 3 + (int)(index - MSR_MTRRfix4K_C0000),
        _ => -1,
    };
}
