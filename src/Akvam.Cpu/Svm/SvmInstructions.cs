using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Svm;

/// <summary>VMRUN, VMLOAD, VMSAVE, STGI, CLGI, INVLPGA, SKINIT. [APM3 VMRUN] [APM3 VMLOAD] [APM3 VMSAVE] [APM3 STGI] [APM3 CLGI] [APM3 INVLPGA] [APM3 SKINIT]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class SvmInstructions
{
    /// <summary>VMLOAD and VMSAVE move FS to TR and STAR to SYSENTER_EIP.</summary>
    private const int SegmentsStart = 0x040, SegmentsEnd = 0x0A0, RegistersStart = 0x200, RegistersEnd = 0x240;

    /// <summary>The address in rAX; false unless it is that of a page below the physical address width.</summary>
    public static bool TryVmcb(CpuState* s, Insn* i, out ulong address)
    {
        address = s->Gpr[State.Register.Rax] & AddressMask((Code)i->Code);
        return (address & (0xFFF | Processor.Of(s).Cpuid.ReservedAddressBits)) == 0;
    }

    private static ulong AddressMask(Code code) => code switch
    {
        Code.Vmrunw or Code.Vmloadw or Code.Vmsavew or Code.Invlpgaw => 0xFFFF,
        Code.Vmrund or Code.Vmloadd or Code.Vmsaved or Code.Invlpgad => uint.MaxValue,
        _ => ulong.MaxValue,
    };

    private static Flow Vmload(CpuState* s, Insn* i)
    {
        VmcbSave v = default;
        if (!TryVmcb(s, i, out ulong address) || !PhysicalAccess.Read(s, address + VmcbSave.Offset, &v, VmcbSave.Size))
        {
            return Fault.Gp(s, 0);
        }

        VmcbTransfer.LoadAdditional(s, &v);
        return Flow.End;
    }

    private static Flow Vmsave(CpuState* s, Insn* i)
    {
        VmcbSave v = default;
        if (!TryVmcb(s, i, out ulong address))
        {
            return Fault.Gp(s, 0);
        }

        // CS to DS stand in between; GDTR and IDTR too: those are VMRUN's.
        ulong save = address + VmcbSave.Offset;
        if (!PhysicalAccess.Read(s, save + SegmentsStart, (byte*)&v + SegmentsStart, SegmentsEnd - SegmentsStart))
        {
            return Fault.Gp(s, 0);
        }

        VmcbTransfer.StoreAdditional(s, &v);
        return PhysicalAccess.Write(s, save + SegmentsStart, &v.Fs, 2 * sizeof(VmcbSegment))
            && PhysicalAccess.Write(s, save + 0x070, &v.Ldtr, sizeof(VmcbSegment))
            && PhysicalAccess.Write(s, save + 0x090, &v.Tr, sizeof(VmcbSegment))
            && PhysicalAccess.Write(s, save + RegistersStart, &v.Star, RegistersEnd - RegistersStart)
                ? Flow.Next
                : Fault.Gp(s, 0);
    }

    private static Flow Stgi(CpuState* s, Insn* i)
    {
        s->Gif = 1;
        Processor.Post(s, Request.Evaluate | Request.Smi | Request.Init);
        return Flow.End;
    }

    private static Flow Clgi(CpuState* s, Insn* i)
    {
        s->Gif = 0;
        return Flow.End;
    }

    /// <summary>The ASID in ECX means nothing here: a page is forgotten for all.</summary>
    private static Flow Invlpga(CpuState* s, Insn* i)
    {
        TlbControl.FlushPage(s, s->Gpr[State.Register.Rax] & AddressMask((Code)i->Code));
        return Flow.End;
    }

    /// <summary>Not offered in CPUID.</summary>
    private static Flow Skinit(CpuState* s, Insn* i) => Fault.Ud(s);

    internal static void Register(IsaBuilder b)
    {
        const Legality Privileged = Legality.Svm | Legality.Cpl0 | Legality.EndsBlock;
        Add(b, Code.Vmrunw, &Vmrun.Execute, Privileged);
        Add(b, Code.Vmloadw, &Vmload, Privileged);
        Add(b, Code.Vmsavew, &Vmsave, Privileged);
        Add(b, Code.Invlpgaw, &Invlpga, Privileged);
        b.Add(Code.Stgi, &Stgi, legality: Privileged);
        b.Add(Code.Clgi, &Clgi, legality: Privileged);
        b.Add(Code.Skinit, &Skinit, legality: Privileged);
    }

    /// <summary>The same for 16, 32 and 64 bits of address, whose codes follow one another.</summary>
    private static void Add(IsaBuilder b, Code first, delegate*<CpuState*, Insn*, Flow> handler, Legality legality)
    {
        for (int n = 0; n < 3; n++)
        {
            b.Add(first + n, handler, legality: legality);
        }
    }
}
