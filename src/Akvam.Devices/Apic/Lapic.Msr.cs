namespace Akvam.Devices;

/// <content>The x2APIC MSRs 0x800-0x8FF [SDM3 10.12.1.2] and IA32_TSC_DEADLINE [SDM3 10.5.4.1].</content>
public sealed partial class Lapic
{
    public const uint FirstMsr = 0x800;
    public const uint LastMsr = 0x8FF;

    /// <summary>IA32_TSC_DEADLINE: zero when disarmed or in another timer mode.</summary>
    public ulong TscDeadline => _timer.TscDeadline;

    /// <summary>Reads an MSR of the x2APIC range.</summary>
    /// <returns>False where hardware raises #GP: not in x2APIC mode, reserved, or write-only.</returns>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        int register = (int)(msr - FirstMsr) << 4;
        if (!IsX2Apic || register > LapicRegister.SelfIpi || !IsCommonReadable(register))
        {
            return false;
        }

        value = register == LapicRegister.IcrLow ? Icr : ReadRegister(register);
        return true;
    }

    /// <summary>Writes an MSR of the x2APIC range.</summary>
    /// <returns>False where hardware raises #GP: not in x2APIC mode, reserved, read-only, or a reserved bit set.</returns>
    public bool TryWriteMsr(uint msr, ulong value)
    {
        int register = (int)(msr - FirstMsr) << 4;
        if (!IsX2Apic || register > LapicRegister.SelfIpi)
        {
            return false;
        }

        if (register == LapicRegister.IcrLow)
        {
            return WriteX2ApicIcr(value);
        }

        if (!TryGetX2ApicWritable(register, out uint allowed) || (value & ~(ulong)allowed) != 0)
        {
            return false;
        }

        WriteRegister(register, (uint)value);
        return true;
    }

    /// <summary>Writes IA32_TSC_DEADLINE; without effect unless the timer is in that mode. The past fires at once.</summary>
    public void WriteTscDeadline(ulong value) => _timer.WriteTscDeadline(value);

    /// <summary>The guest's TSC was changed: an armed deadline is measured again.</summary>
    public void TscChanged() => _timer.TscChanged();

    private bool TryGetX2ApicWritable(int register, out uint allowed)
    {
        switch (register)
        {
            case LapicRegister.Eoi or LapicRegister.Esr:
                allowed = 0;
                return true;
            case LapicRegister.Tpr or LapicRegister.SelfIpi:
                allowed = 0xFF;
                return true;
            case LapicRegister.Svr:
                allowed = SvrWritable;
                return true;
            case LapicRegister.InitialCount:
                allowed = uint.MaxValue;
                return true;
            case LapicRegister.DivideConfiguration:
                allowed = 0xB;
                return true;
            default:
                allowed = IsLvt(register) ? LvtWritable(register) | LvtBits.ReadOnly(register) : 0;
                return allowed != 0;
        }
    }
}
