using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;

namespace Akvam.Cpu.Smm;

/// <summary>
/// SMI: saves the interrupted program in SMRAM and starts the handler. <see cref="Rsm"/> is its mirror image. [APM2 10.3] [SDM3 31.5]
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class SmiEntry
{
    /// <summary>
    /// Enters SMM; the caller looked at what holds SMIs back. Without memory at SMRAM the processor stays where it was, and is dead.
    /// </summary>
    public static void Enter(Processor processor)
    {
        CpuState* s = processor.State;

        // 1. The image, all reserved bytes zero.
        bool wide = SmmMode.HasLongMap(s);
        SmramStateMap64 image = default;
        if (wide)
        {
            Save64(s, &image);
        }
        else
        {
            Save32(s, (SmramStateMap32*)&image);
        }

        if (s->GuestMode != 0 && !(wide && SmmCrossing.Suspend(s, &image)))
        {
            // The small image has no place for an SVM guest.
            SmmTrace.NoGuest(s, wide);
            processor.IsDead = true;
            return;
        }

        // 2. From here on memory is SMM's.
        SmmMode.Change(s, inside: true);
        if (!PhysicalAccess.Write(s, s->Smbase + SmramStateMap64.Start, &image, SmramStateMap64.Size))
        {
            SmmMode.Change(s, inside: false);
            SmmTrace.NoImage(s, "smi_failed");
            processor.IsDead = true;
            return;
        }

        // 3. NMIs stay blocked until RSM or the handler's first IRET; RSM has to know whether they were already.
        s->SmmInsideNmi = s->NmiMasked;
        s->NmiMasked = 1;

        SmmTrace.Saved(s, wide);
        s->PendingDebug = 0;

        // What RSM needs to know to keep translations.
        s->SmmCr0 = s->Cr0;
        s->SmmCr3 = s->Cr3;
        s->SmmCr4 = s->Cr4;
        s->SmmEfer = s->Efer;

        // 4. The handler's state.
        EnterHandlerState(s, wide);
        s->SmiCount++;
        s->Epoch++;
        Processor.UpdateMode(s);
    }

    private static void Save64(CpuState* s, SmramStateMap64* image)
    {
        for (int n = 0; n < 16; n++)
        {
            image->Gprs[15 - n] = s->Gpr[n];
        }

        image->Rip = s->Rip;
        image->Rflags = LazyFlags.Read(s);
        image->Dr6 = s->Dr6;
        image->Dr7 = s->Dr7;
        image->Smbase = (uint)s->Smbase;
        image->Revision = SmramStateMap64.RevisionId;
        image->Efer = s->Efer;
        image->Tr = SmramSegment64.Save(in s->Tr);
        image->Idtr.Limit = s->IdtLimit;
        image->Idtr.Base = s->IdtBase;
        image->Ldtr = SmramSegment64.Save(in s->Ldtr);
        image->Gdtr.Limit = s->GdtLimit;
        image->Gdtr.Base = s->GdtBase;
        image->Cr0 = s->Cr0;
        image->Cr3 = s->Cr3;
        image->Cr4 = s->Cr4;
        image->Es = SmramSegment64.Save(in s->Es);
        image->Cs = SmramSegment64.Save(in s->Cs);
        image->Ss = SmramSegment64.Save(StackSegment(s));
        image->Ds = SmramSegment64.Save(in s->Ds);
        image->Fs = SmramSegment64.Save(in s->Fs);
        image->Gs = SmramSegment64.Save(in s->Gs);
        image->InterruptShadow = (byte)s->Shadow;
        image->PendingDebug = s->PendingDebug & SmmMode.DebugTraps;
    }

    private static void Save32(CpuState* s, SmramStateMap32* image)
    {
        image->Eflags = (uint)LazyFlags.Read(s);
        image->Eip = (uint)s->Rip;
        for (int n = 0; n < 8; n++)
        {
            image->Gprs[n] = (uint)s->Gpr[n];
        }

        image->Dr6 = (uint)s->Dr6;
        image->Dr7 = (uint)s->Dr7;
        image->TrSelector = s->Tr.Selector;
        image->Tr = SmramSegment32.Save(in s->Tr);
        image->LdtrSelector = s->Ldtr.Selector;
        image->Ldtr = SmramSegment32.Save(in s->Ldtr);
        image->Gdtr.Limit = s->GdtLimit;
        image->Gdtr.Base = (uint)s->GdtBase;
        image->Idtr.Limit = s->IdtLimit;
        image->Idtr.Base = (uint)s->IdtBase;
        image->EsSelector = s->Es.Selector;
        image->Es = SmramSegment32.Save(in s->Es);
        image->CsSelector = s->Cs.Selector;
        image->Cs = SmramSegment32.Save(in s->Cs);
        image->SsSelector = s->Ss.Selector;
        image->Ss = SmramSegment32.Save(StackSegment(s));
        image->DsSelector = s->Ds.Selector;
        image->Ds = SmramSegment32.Save(in s->Ds);
        image->FsSelector = s->Fs.Selector;
        image->Fs = SmramSegment32.Save(in s->Fs);
        image->GsSelector = s->Gs.Selector;
        image->Gs = SmramSegment32.Save(in s->Gs);
        image->Smbase = (uint)s->Smbase;
        image->Revision = SmramStateMap32.RevisionId;
        image->Cr0 = (uint)s->Cr0;
        image->Cr3 = (uint)s->Cr3;
        image->Cr4 = (uint)s->Cr4;
        image->InterruptShadow = (byte)s->Shadow;
        image->PendingDebug = (ushort)(s->PendingDebug & SmmMode.DebugTraps);
    }

    /// <summary>SS, with the CPL in the place of its DPL: the image has no other field for it.</summary>
    private static SegmentRegister StackSegment(CpuState* s)
    {
        SegmentRegister ss = s->Ss;
        ss.Attributes = (ushort)((ss.Attributes & ~(3 << SegmentRegister.DplShift)) | (s->Cpl << SegmentRegister.DplShift));
        return ss;
    }

    /// <summary>Flat 16-bit code at SMBASE + 8000h without protection or paging; what is not listed here stays the program's. [APM2 10.3.2]</summary>
    private static void EnterHandlerState(CpuState* s, bool wide)
    {
        LazyFlags.Write(s, Rflags.Fixed);
        s->Rip = 0x8000;
        s->Shadow = InterruptShadow.None;
        s->Cr0 &= ~(Cr0.PE | Cr0.EM | Cr0.TS | Cr0.PG);
        s->Cr4 = 0;
        s->IdtBase = 0;
        s->IdtLimit = 0;
        s->Dr7 = ControlRegisters.Dr7Fixed;
        SegmentRegister data = new() { Limit = uint.MaxValue, Attributes = SegmentRegister.G | SegmentRegister.P | SegmentRegister.S | SegmentRegister.Writable | SegmentRegister.Accessed };
        s->Ds = s->Es = s->Fs = s->Gs = s->Ss = data;
        s->Cs = data;
        s->Cs.Selector = (ushort)(s->Smbase >> 4);
        s->Cs.Base = s->Smbase;
        s->Cpl = 0;
        if (wide)
        {
            s->Efer = 0;
            s->Gif = 1;
        }

        Breakpoints.Arm(s);
    }
}
