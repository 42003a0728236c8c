using System.Runtime.CompilerServices;

namespace Akvam.Devices;

/// <summary>The fields of struct kvm_ioapic_state, in its order.</summary>
public struct IoapicState
{
    public ulong BaseAddress;
    public uint IoRegSel;
    public uint Id;
    public uint Irr;
    public RedirectionTable Redirection;

    /// <summary>One 64-bit redirection entry a pin.</summary>
    [InlineArray(Ioapic.PinCount)]
    public struct RedirectionTable
    {
        private ulong _first;
    }
}
