using System.Buffers.Binary;

namespace Akvam.Devices;

/// <content>The register page as KVM_GET_LAPIC and KVM_SET_LAPIC carry it [KVM 4.57, 4.58].</content>
public sealed partial class Lapic
{
    /// <summary>Bytes of struct kvm_lapic_state.</summary>
    public const int StateSize = 0x400;

    /// <summary>Writes the register page: each register in the first four of its sixteen bytes, the rest zero.</summary>
    /// <param name="page">At least <see cref="StateSize"/> bytes.</param>
    public void ExportState(Span<byte> page)
    {
        page[..StateSize].Clear();
        for (int register = 0; register < StateSize; register += 0x10)
        {
            Put(page, register, register switch
            {
                LapicRegister.Id when IsX2Apic => _bus.Use32BitIds ? InitialId : InitialId << 24,
                LapicRegister.CurrentCount => _timer.CurrentCount,
                _ => Get(register),
            });
        }
    }

    /// <summary>Replaces all registers, with the base MSR as it is, and starts the timer from its current count.</summary>
    /// <param name="page">At least <see cref="StateSize"/> bytes.</param>
    /// <returns>False (EINVAL), nothing changed, if in x2APIC mode the page carries another processor's id.</returns>
    public bool TryImportState(ReadOnlySpan<byte> page)
    {
        uint id = Take(page, LapicRegister.Id);
        if (IsX2Apic && id != (_bus.Use32BitIds ? InitialId : InitialId << 24))
        {
            return false;
        }

        _timer.Reset();
        for (int register = 0; register < StateSize; register += 0x10)
        {
            Set(register, Take(page, register));
        }

        Set(LapicRegister.Id, IsX2Apic ? InitialId << 24 : id & 0xFF00_0000);
        Set(LapicRegister.Version, VersionRegister);
        Set(LapicRegister.Svr, Get(LapicRegister.Svr) & SvrWritable);
        Set(LapicRegister.IcrLow, Get(LapicRegister.IcrLow) & ~IcrBusy);
        Set(LapicRegister.Dfr, Get(LapicRegister.Dfr) | 0x0FFF_FFFF);
        if (IsX2Apic)
        {
            Set(LapicRegister.Ldr, X2ApicLdr(InitialId));
        }

        for (int i = 0; i < LvtCount; i++)
        {
            int register = LvtOffset(i);
            Set(register, Get(register) & (LvtWritable(register) | (LvtBits.ReadOnly(register) & LvtBits.RemoteIrr)));
        }

        Volatile.Write(ref _errors, 0);
        Volatile.Write(ref _errorSignalled, false);
        Volatile.Write(ref _irrMaybe, true);
        UpdatePriority();
        _timer.Restore(
            Get(LapicRegister.LvtTimer),
            Get(LapicRegister.DivideConfiguration),
            Get(LapicRegister.InitialCount),
            Take(page, LapicRegister.CurrentCount));
        NotifyIfPending();
        return true;
    }

    private static void Put(Span<byte> page, int register, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(page[register..], value);

    private static uint Take(ReadOnlySpan<byte> page, int register) =>
        BinaryPrimitives.ReadUInt32LittleEndian(page[register..]);
}
