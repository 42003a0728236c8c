using System.Runtime.CompilerServices;

namespace Akvam.Devices;

/// <content>The base MSR and the modes it selects [SDM3 10.4.4, 10.12.1, 10.12.5].</content>
public sealed partial class Lapic
{
    public const ulong BaseBootstrap = 1 << 8;
    public const ulong BaseX2Apic = 1 << 10;
    public const ulong BaseEnable = 1 << 11;
    private const ulong BaseReservedLow = 0x2FF;

    /// <summary>IA32_APIC_BASE.</summary>
    public ulong Base => Volatile.Read(ref _base);

    /// <summary>Enabled in the base MSR, in either mode.</summary>
    public bool IsEnabled => (Base & BaseEnable) != 0;

    public bool IsX2Apic => (Base & (BaseEnable | BaseX2Apic)) == (BaseEnable | BaseX2Apic);

    /// <summary>First address of the register page, meaningful in xAPIC mode.</summary>
    public ulong PageAddress => Base & ~0xFFFUL;

    /// <summary>True if <paramref name="gpa"/> is in the register page and the page is there: enabled, in xAPIC mode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(ulong gpa)
    {
        ulong value = Base;
        return (value & (BaseEnable | BaseX2Apic)) == BaseEnable && gpa - (value & ~0xFFFUL) < PageSize;
    }

    /// <summary>Writes IA32_APIC_BASE. False, with nothing changed, where hardware raises #GP: reserved bits, x2APIC without
    /// enable, x2APIC to xAPIC, disabled to x2APIC [SDM3 10.12.5].</summary>
    /// <param name="value">The whole MSR.</param>
    /// <param name="fromHost">User space restores state: any valid mode may follow any other.</param>
    public bool TrySetBase(ulong value, bool fromHost)
    {
        ulong reserved = BaseReservedLow | ~((1UL << PhysicalAddressBits) - 1) | (X2ApicAvailable ? 0 : BaseX2Apic);
        ulong mode = value & (BaseEnable | BaseX2Apic);
        if ((value & reserved) != 0 || mode == BaseX2Apic)
        {
            return false;
        }

        ulong old = Base;
        ulong oldMode = old & (BaseEnable | BaseX2Apic);
        bool leavesX2Apic = oldMode == (BaseEnable | BaseX2Apic) && mode == BaseEnable;
        bool skipsXApic = oldMode == 0 && mode == (BaseEnable | BaseX2Apic);
        if (!fromHost && (leavesX2Apic || skipsXApic))
        {
            return false;
        }

        Volatile.Write(ref _base, value);
        if (mode != oldMode)
        {
            EnterMode(mode, oldMode);
        }

        return true;
    }

    private void EnterMode(ulong mode, ulong oldMode)
    {
        if ((mode & BaseX2Apic) != 0)
        {
            // The two ids of x2APIC mode are fixed by hardware [SDM3 10.12.10]; the upper ICR half becomes a 32-bit id.
            Set(LapicRegister.Ldr, X2ApicLdr(InitialId));
            Set(LapicRegister.IcrHigh, 0);
        }
        else
        {
            Set(LapicRegister.Id, InitialId << 24);
            if ((oldMode & BaseX2Apic) != 0)
            {
                Set(LapicRegister.Ldr, 0);
                Set(LapicRegister.IcrHigh, 0);
            }
        }

        if (mode == 0)
        {
            _timer.Stop();
        }

        if (HasInterrupt)
        {
            _host.InterruptPending();
        }
    }

    /// <summary>Cluster in bits 31:16, one bit of the low 16 for the processor [SDM3 10.12.10.2].</summary>
    private static uint X2ApicLdr(uint id) => ((id >> 4) << 16) | (1u << (int)(id & 0xF));
}
