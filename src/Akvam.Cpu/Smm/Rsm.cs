using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;
using Iced.Intel;

namespace Akvam.Cpu.Smm;

/// <summary>
/// RSM: leaves SMM and resumes what the image in SMRAM describes. <see cref="SmiEntry"/> is its mirror image. [APM2 10.3.3] [APM3 RSM]
/// </summary>
/// <remarks>
/// Valid because the handler gets the state and instruction of the block that the engine is running. The image is read once; the SMM flag is
/// cleared before anything is loaded, and everything is loaded through the ordinary setters, so that an image is judged as a program would be.
/// </remarks>
internal static unsafe class Rsm
{
    private const ulong Pcid = 0xFFF;

    private static Flow Execute(CpuState* s, Insn* i)
    {
        Processor p = Processor.Of(s);
        s->Rip = i->NextRip(s);

        // 1. The image, while memory is still SMM's.
        bool wide = SmmMode.HasLongMap(s);
        SmramStateMap64 image = default;
        bool ok = PhysicalAccess.Read(s, s->Smbase + SmramStateMap64.Start, &image, SmramStateMap64.Size);
        if (!ok)
        {
            SmmTrace.NoImage(s, "rsm_failed");
        }

        // 2. NMIs are blocked as they were when the SMI came. KVM only ever unblocks them here.
        s->NmiMasked = p.Quirks.HasFlag(ProcessorQuirks.KvmNmiRsm) ? (byte)(s->NmiMasked & s->SmmInsideNmi) : s->SmmInsideNmi;
        s->SmmInsideNmi = 0;

        // 3. From here on memory is the program's, and a latched SMI or INIT may act.
        s->KeepTranslations = 1;
        SmmMode.Change(s, inside: false);
        Processor.Post(s, Request.Evaluate | Request.Smi | Request.Init);

        // 4. The program's state, from a mode in which any other can be set up.
        s->Shadow = InterruptShadow.None;
        ok = ok && (wide ? Load64(s, &image) : Load32(s, (SmramStateMap32*)&image));

        // 5. What derives from it. Translations outlive SMM if nothing changed that they depend on.
        s->KeepTranslations = 0;
        if (!ok || s->Cr0 != s->SmmCr0 || s->Cr3 != s->SmmCr3 || s->Cr4 != s->SmmCr4 || s->Efer != s->SmmEfer)
        {
            TlbControl.FlushAll(s);
        }

        s->Cpl = (s->Cr0 & Cr0.PE) == 0 ? (byte)0 : (s->SystemFlags & Rflags.VM) != 0 ? (byte)3 : (byte)s->Ss.Dpl;
        s->PendingDebug = wide ? image.PendingDebug : ((SmramStateMap32*)&image)->PendingDebug;
        s->PendingDebug &= SmmMode.DebugTraps;
        s->Epoch++;
        Processor.UpdateMode(s);
        s->Rip = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64 ? s->Rip : (uint)s->Rip;
        if (!ok)
        {
            // The machine shuts down outside SMM, so that INIT and NMI can end it. [APM2 10.3.3]
            s->PendingDebug = 0;
            s->TripleFault = 1;
            Processor.Post(s, Request.TripleFault);
            return Flow.Jump;
        }

        SmmTrace.Resumed(s);
        return Flow.Jump;
    }

    private static bool Load64(CpuState* s, SmramStateMap64* image)
    {
        LeaveHandlerState(s, wide: true);
        if (image->SvmGuestFlag != 0 && !Processor.Of(s).Cpuid.Has(Cpuid.Feature.Svm))
        {
            // Only a processor with SVM can have been in a guest.
            return Accept(s, "SVM guest flag", image->SvmGuestFlag, false);
        }

        for (int n = 0; n < 16; n++)
        {
            s->Gpr[n] = image->Gprs[15 - n];
        }

        s->Rip = image->Rip;
        LazyFlags.Write(s, image->Rflags);
        if (!Accept(s, "DR6", image->Dr6, ControlRegisters.TrySetDr6(s, image->Dr6)) || !Accept(s, "DR7", image->Dr7, ControlRegisters.TrySetDr7(s, image->Dr7)))
        {
            return false;
        }

        s->Smbase = image->Smbase;
        if (!Accept(s, "EFER", image->Efer, ControlRegisters.TrySetEfer(s, image->Efer & ~Efer.LMA)))
        {
            return false;
        }

        image->Tr.Load(ref s->Tr);
        s->IdtLimit = (ushort)image->Idtr.Limit;
        s->IdtBase = image->Idtr.Base;
        image->Ldtr.Load(ref s->Ldtr);
        s->GdtLimit = (ushort)image->Gdtr.Limit;
        s->GdtBase = image->Gdtr.Base;
        if (!LoadControl(s, image->Cr0, image->Cr3, image->Cr4))
        {
            return false;
        }

        // After CR0: CS.L may not be set while long mode is switched on.
        image->Es.Load(ref s->Es);
        image->Cs.Load(ref s->Cs);
        image->Ss.Load(ref s->Ss);
        image->Ds.Load(ref s->Ds);
        image->Fs.Load(ref s->Fs);
        image->Gs.Load(ref s->Gs);
        s->Shadow = (InterruptShadow)(image->InterruptShadow & 3);
        return image->SvmGuestFlag == 0 || Accept(s, "SVM guest", image->SvmGuestVmcb, SmmCrossing.Resume(s, image->SvmGuestVmcb));
    }

    private static bool Load32(CpuState* s, SmramStateMap32* image)
    {
        LeaveHandlerState(s, wide: false);
        LazyFlags.Write(s, image->Eflags);
        s->Rip = image->Eip;
        for (int n = 0; n < 8; n++)
        {
            s->Gpr[n] = image->Gprs[n];
        }

        if (!Accept(s, "DR6", image->Dr6, ControlRegisters.TrySetDr6(s, image->Dr6)) || !Accept(s, "DR7", image->Dr7, ControlRegisters.TrySetDr7(s, image->Dr7)))
        {
            return false;
        }

        image->Tr.Load(ref s->Tr, image->TrSelector);
        image->Ldtr.Load(ref s->Ldtr, image->LdtrSelector);
        s->GdtLimit = (ushort)image->Gdtr.Limit;
        s->GdtBase = image->Gdtr.Base;
        s->IdtLimit = (ushort)image->Idtr.Limit;
        s->IdtBase = image->Idtr.Base;
        image->Es.Load(ref s->Es, image->EsSelector);
        image->Cs.Load(ref s->Cs, image->CsSelector);
        image->Ss.Load(ref s->Ss, image->SsSelector);
        image->Ds.Load(ref s->Ds, image->DsSelector);
        image->Fs.Load(ref s->Fs, image->FsSelector);
        image->Gs.Load(ref s->Gs, image->GsSelector);
        s->Smbase = image->Smbase;
        if (!LoadControl(s, image->Cr0, image->Cr3, image->Cr4))
        {
            return false;
        }

        s->Shadow = (InterruptShadow)(image->InterruptShadow & 3);
        return true;
    }

    /// <summary>No paging, no protection, 32-bit code: whatever mode the handler was in, every mode can be entered from here.</summary>
    private static void LeaveHandlerState(CpuState* s, bool wide)
    {
        s->Cr4 &= ~(Cr4.PCIDE | Cr4.PAE);
        if (wide)
        {
            s->Cs = new SegmentRegister
            {
                Limit = uint.MaxValue,
                Attributes = SegmentRegister.G | SegmentRegister.Db | SegmentRegister.P | SegmentRegister.S | SegmentRegister.Code | SegmentRegister.Readable | SegmentRegister.Accessed,
            };
            s->Efer = 0;
            s->Gif = 1;
        }

        s->Cr0 &= ~(Cr0.PG | Cr0.PE);
    }

    /// <summary>CR3 without PCID, CR4 without PCIDE, CR0; then PCIDE, which needs long mode, and the PCID, which needs PCIDE.</summary>
    private static bool LoadControl(CpuState* s, ulong cr0, ulong cr3, ulong cr4)
    {
        ulong pcid = (cr4 & Cr4.PCIDE) != 0 ? cr3 & Pcid : 0;
        return Accept(s, "CR3", cr3 & ~pcid, ControlRegisters.TrySetCr3(s, cr3 & ~pcid))
            && Accept(s, "CR4", cr4 & ~Cr4.PCIDE, ControlRegisters.TrySetCr4(s, cr4 & ~Cr4.PCIDE))
            && Accept(s, "CR0", cr0, ControlRegisters.TrySetCr0(s, cr0))
            && ((cr4 & Cr4.PCIDE) == 0 || Accept(s, "CR4", cr4, ControlRegisters.TrySetCr4(s, cr4)))
            && (pcid == 0 || Accept(s, "CR3", cr3, ControlRegisters.TrySetCr3(s, cr3)));
    }

    /// <summary>Hands on whether a setter took a value; one that it refused is traced.</summary>
    private static bool Accept(CpuState* s, string register, ulong value, bool taken)
    {
        if (!taken)
        {
            SmmTrace.Refused(s, register, value);
        }

        return taken;
    }

    internal static void Register(IsaBuilder b) => b.Add(Code.Rsm, &Execute, legality: Legality.Smm | Legality.EndsBlock);
}
