using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;

namespace Akvam.Cpu;

/// <remarks>Valid as long as the processor is not disposed.</remarks>
public sealed unsafe partial class Processor
{
    /// <summary>
    /// RESET, or with <paramref name="init"/> INIT, which keeps SMBASE, XCR0, TSC, MTRRs, the FPU and CR0.CD and NW. [SDM3 table 9-1] [APM2 14.1.3]
    /// </summary>
    public void Reset(bool init = false)
    {
        CpuState* s = State;
        if (s->GuestMode != 0)
        {
            VmExit.Forget(s);
        }

        for (int n = 0; n < 16; n++)
        {
            s->Gpr[n] = 0;
        }

        s->Gpr[Register.Rdx] = Cpuid.Query(s, 1, 0).Eax;
        s->Rip = 0xFFF0;
        LazyFlags.Write(s, Rflags.Fixed);
        ResetSegment(&s->Es, 0, 0, 0x93);
        ResetSegment(&s->Cs, 0xF000, 0xFFFF_0000, 0x9B);
        ResetSegment(&s->Ss, 0, 0, 0x93);
        ResetSegment(&s->Ds, 0, 0, 0x93);
        ResetSegment(&s->Fs, 0, 0, 0x93);
        ResetSegment(&s->Gs, 0, 0, 0x93);
        ResetSegment(&s->Ldtr, 0, 0, 0x82);
        ResetSegment(&s->Tr, 0, 0, 0x8B);
        s->GdtBase = s->IdtBase = 0;
        s->GdtLimit = s->IdtLimit = 0xFFFF;
        s->Cpl = 0;
        s->Cr0 = Cr0.ET | (init ? s->Cr0 & (Cr0.CD | Cr0.NW) : Cr0.CD | Cr0.NW);
        s->Cr2 = s->Cr3 = s->Cr4 = s->Efer = 0;
        for (int n = 0; n < 4; n++)
        {
            s->Dr[n] = 0;
            s->Pdpte[n] = 0;
        }

        s->Dr6 = 0xFFFF_0FF0;
        s->Dr7 = 0x400;
        s->Shadow = InterruptShadow.None;
        s->InSmm = s->SmmInsideNmi = s->NmiMasked = s->NmiPending = s->NmiInjected = s->SmiPending = 0;
        s->InitPending = s->SipiPending = s->GuestMode = s->TripleFault = 0;
        s->PendingDebug = 0;
        s->Delivering = default;
        s->Delivering = default;
        _hasInjectedException = false;
        _injectedInterrupt = -1;
        s->SmiCount = 0;
        s->Gif = 1;
        s->Activity = Activity.Runnable;
        if (!init)
        {
            s->Smbase = 0x30000;
            s->Xcr0 = 1;
            s->Xss = 0;
            s->Mxcsr = 0x1F80;
            s->Pkru = 0;
            s->Pat = 0x0007_0406_0007_0406;
            ResetFpu(s);
            s->Star = s->Lstar = s->Cstar = s->Sfmask = s->KernelGsBase = s->TscAux = 0;
            s->SysenterCs = s->SysenterEsp = s->SysenterEip = 0;
            s->StepsBranches = 0;
            Msrs.Reset();
            s->TscOffset = 0;
        }

        Breakpoints.Arm(s);
        TlbControl.FlushAll(s);
        UpdateMode(s);
    }

    private static void ResetSegment(SegmentRegister* r, ushort selector, ulong @base, ushort attributes) =>
        *r = new SegmentRegister { Selector = selector, Base = @base, Limit = 0xFFFF, Attributes = attributes };

    /// <summary>The x87 part after RESET: FCW 40h, all registers valid zeros. [SDM3 table 9-1]</summary>
    private static void ResetFpu(CpuState* s)
    {
        s->Fcs = s->Fds = 0;
        new Span<byte>(s->Fx, 512).Clear();
        new Span<byte>(s->Vector, 512).Clear();
        *(ushort*)s->Fx = 0x40;
        s->Fx[4] = 0xFF;
    }
}
