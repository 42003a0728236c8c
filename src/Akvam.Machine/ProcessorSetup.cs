using Akvam.Abi;
using Akvam.Machine.Loading;

namespace Akvam.Machine;

/// <summary>Puts a processor into the state its guest starts in, and gives it its place in CPUID.</summary>
internal static class ProcessorSetup
{
    private const ulong Cr0ProtectedMode = 0x1, Cr0ExtensionType = 0x10, Cr0NumericError = 0x20, Cr0Paging = 0x8000_0000;
    private const ulong Cr4Pae = 0x20, EferLme = 0x100, EferLma = 0x400;
    private const byte CodeAccessed = 11, DataAccessed = 3, BusyTss = 11;

    /// <summary>Sets the start state; a processor that starts at reset is left as it is.</summary>
    public static void Apply(Vcpu vcpu, StartState start)
    {
        if (start.Mode == StartMode.Reset)
        {
            return;
        }

        kvm_sregs s = vcpu.GetSregs();
        if (start.Mode == StartMode.Real)
        {
            s.cs.selector = start.Cs;
            s.cs.@base = (ulong)start.Cs << 4;
            RealData(ref s.ds, start.Ds);
            RealData(ref s.es, start.Ds);
            RealData(ref s.ss, start.Ss);
        }
        else
        {
            bool isLong = start.Mode == StartMode.Long64;
            s.cs = Flat(start.Cs, CodeAccessed, isLong);
            s.ds = s.es = s.fs = s.gs = Flat(start.Ds, DataAccessed, isLong: false);
            s.ss = Flat(start.Ss, DataAccessed, isLong: false);
            s.tr = new kvm_segment { limit = 0xFFFF, type = BusyTss, present = 1 };
            s.gdt = new kvm_dtable { @base = start.GdtBase, limit = (ushort)(start.GdtBytes - 1) };
            s.idt = default;
            s.cr0 = Cr0ProtectedMode | Cr0ExtensionType | Cr0NumericError;
            if (isLong)
            {
                s.cr0 |= Cr0Paging;
                s.cr3 = start.Cr3;
                s.cr4 |= Cr4Pae;
                s.efer |= EferLme | EferLma;
            }
        }

        vcpu.SetSregs(in s);
        vcpu.SetRegs(new kvm_regs
        {
            rip = start.Rip,
            rflags = 2,
            rsp = start.Rsp,
            rax = start.Rax,
            rbx = start.Rbx,
            rdx = start.Rdx,
            rsi = start.Rsi,
        });
    }

    /// <summary>The system's CPUID with the processor's own number and how many there are [APM3 E.3] [SDM2 CPUID].</summary>
    public static kvm_cpuid_entry2[] Cpuid(kvm_cpuid_entry2[] supported, uint id, int cpus)
    {
        var entries = (kvm_cpuid_entry2[])supported.Clone();
        int idBits = cpus > 1 ? 32 - System.Numerics.BitOperations.LeadingZeroCount((uint)(cpus - 1)) : 0;
        foreach (ref kvm_cpuid_entry2 e in entries.AsSpan())
        {
            switch (e.function)
            {
                case 1:
                    e.ebx = (e.ebx & 0x0000_FFFF) | ((uint)cpus << 16) | (id << 24);
                    e.edx = cpus > 1 ? e.edx | (1u << 28) : e.edx & ~(1u << 28);
                    break;
                case 0xB or 0x1F:
                    // One thread a core, all cores in one package.
                    e.eax = e.index == 1 ? (uint)idBits : 0;
                    e.ebx = e.index switch { 0 => 1u, 1 => (uint)cpus, _ => 0u };
                    e.ecx = e.index | (e.index switch { 0 => 0x100u, 1 => 0x200u, _ => 0u });
                    e.edx = id;
                    break;
                case 0x8000_0008:
                    e.ecx = (e.ecx & 0xFFFF_0F00) | ((uint)idBits << 12) | (uint)(cpus - 1);
                    break;
                case 0x8000_001E:
                    e.eax = id;
                    e.ebx = id;
                    e.ecx = 0;
                    break;
                default:
                    break;
            }
        }

        return entries;
    }

    private static void RealData(ref kvm_segment segment, ushort selector)
    {
        segment.selector = selector;
        segment.@base = (ulong)selector << 4;
    }

    private static kvm_segment Flat(ushort selector, byte type, bool isLong) => new()
    {
        selector = selector,
        limit = 0xFFFF_FFFF,
        type = type,
        present = 1,
        s = 1,
        g = 1,
        db = isLong ? (byte)0 : (byte)1,
        l = isLong ? (byte)1 : (byte)0,
    };
}
