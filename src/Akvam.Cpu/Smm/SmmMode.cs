using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;

namespace Akvam.Cpu.Smm;

/// <summary>What <see cref="SmiEntry"/> and <see cref="Rsm"/> share: the SMM flag and the conversion of segment registers.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class SmmMode
{
    /// <summary>Attribute bits that the image holds; 11:8 would be limit bits of a descriptor.</summary>
    private const ushort AttributeMask = 0xF0FF;

    /// <summary>What can wait as a trap: breakpoints 0 to 3, single step, task switch.</summary>
    public const uint DebugTraps = 0xC00F;

    /// <summary>
    /// Changes the SMM flag, and with it the physical address space, once for each real change: SMI, RSM, KVM_SET_VCPU_EVENTS, shutdown.
    /// </summary>
    internal static void Change(CpuState* s, bool inside)
    {
        if (s->InSmm == (inside ? 1 : 0))
        {
            return;
        }

        Processor p = Processor.Of(s);
        if (!inside && (s->Cr0 & Cr0.PG) != 0)
        {
            // The next SMI starts without paging, in a context that must hold nothing else.
            TlbControl.FlushAll(s);
        }

        s->InSmm = inside ? (byte)1 : (byte)0;
        Processor.UpdateMode(s);
        p.Trace?.Write(p, "kvm_enter_smm", $"vcpu {p.Id}: {(inside ? "entering" : "leaving")} SMM, smbase 0x{s->Smbase:x}");
    }

    /// <summary>KVM_SET_VCPU_EVENTS: the flag alone changes, and paging goes on with other memory at once, from its PDPTEs on.</summary>
    public static void SetByUser(CpuState* s, bool inside)
    {
        if (s->InSmm != (inside ? 1 : 0))
        {
            NestedState.Abandon(s);
            Change(s, inside);
            if (ControlRegisters.IsPaePaging(s))
            {
                // Where they cannot be read, those that the user gave stay.
                _ = ControlRegisters.TryLoadPdptes(s, s->Cr3);
            }

            ControlRegisters.Reloaded(s);
        }
    }

    /// <summary>The image has the map with 64-bit registers when the guest's CPUID announces long mode, whatever the vendor.</summary>
    internal static bool HasLongMap(CpuState* s) => Processor.Of(s).Cpuid.Has(Feature.Lm);

    internal static ushort SavedAttributes(in SegmentRegister r) =>
        (ushort)(r.Attributes & AttributeMask & (r.IsUsable ? ~0 : ~SegmentRegister.P));

    /// <summary>A segment that is not present is unusable; its other attributes stay.</summary>
    internal static SegmentRegister LoadedSegment(ushort selector, ushort attributes, uint limit, ulong @base) => new()
    {
        Selector = selector,
        Attributes = (ushort)(attributes & AttributeMask),
        Limit = limit,
        Base = @base,
        Unusable = (attributes & SegmentRegister.P) == 0 ? (byte)1 : (byte)0,
    };
}
