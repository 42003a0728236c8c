using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>A set of debug registers that waits while the processor has another: the guest's, while a debugger outside uses the real ones.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public sealed unsafe class DebugRegisters
{
    private readonly ulong[] _addresses = new ulong[4];
    private ulong _dr6 = 0xFFFF_0FF0, _dr7;

    /// <summary>A debugger's: no breakpoint has been met.</summary>
    /// <param name="addresses">DR0 to DR3.</param>
    /// <param name="dr7">DR7; bits above 31 do not count.</param>
    public void Set(ReadOnlySpan<ulong> addresses, ulong dr7)
    {
        addresses[..4].CopyTo(_addresses);
        _dr6 = 0xFFFF_0FF0;
        _dr7 = dr7 & uint.MaxValue;
    }

    /// <summary>Changes places with the processor's.</summary>
    public void Exchange(CpuState* s)
    {
        for (int i = 0; i < _addresses.Length; i++)
        {
            ulong address = s->Dr[i];
            ControlRegisters.SetDr(s, i, _addresses[i]);
            _addresses[i] = address;
        }

        (ulong dr6, ulong dr7) = (s->Dr6, s->Dr7);
        s->Dr6 = _dr6;
        ControlRegisters.TrySetDr7(s, _dr7);
        (_dr6, _dr7) = (dr6, dr7);
    }
}
