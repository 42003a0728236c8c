using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.Semantics.Supervisor;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Svm;

/// <summary>
/// Instructions that L1 may intercept: blocks decoded in guest mode call these handlers, which ask L2's control area first and then go on with the row's own
/// handler. What is illegal anyway faults before. semantics.md 4.6. [APM2 15.7] [APM2 15.9]
/// </summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class InstructionIntercepts
{
    private const ulong Cr0Quiet = Cr0.TS | Cr0.MP;

    /// <summary>The handler to run instead of the row's; null: nobody can intercept the instruction.</summary>
    public static delegate*<CpuState*, Insn*, Flow> Of(Code code, bool memory) =>
        !IsInterceptable(code) ? null : memory ? &MemoryForm : &RegisterForm;

    private static Flow RegisterForm(CpuState* s, Insn* i) => Exits(s, i, false, out Flow flow) ? flow : Isa.Row((Code)i->Code).Register(s, i);

    private static Flow MemoryForm(CpuState* s, Insn* i) => Exits(s, i, true, out Flow flow) ? flow : Isa.Row((Code)i->Code).Memory(s, i);

    private static bool IsInterceptable(Code code) => code.Mnemonic() is var m
        && (Simple(m) != SvmExitCode.None || IsPortAccess(m) || m is Mnemonic.Clts or Mnemonic.Lmsw or Mnemonic.Smsw or Mnemonic.Rdmsr or Mnemonic.Wrmsr
            || code is Code.Mov_r32_cr or Code.Mov_r64_cr or Code.Mov_cr_r32 or Code.Mov_cr_r64 or Code.Mov_r32_dr or Code.Mov_r64_dr or Code.Mov_dr_r32 or Code.Mov_dr_r64);

    private static bool IsPortAccess(Mnemonic m) => m is Mnemonic.In or Mnemonic.Out or Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd or Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd;

    /// <summary>Exit code of an instruction that has one bit and no information; <see cref="SvmExitCode.None"/> for others.</summary>
    private static uint Simple(Mnemonic m) => m switch
    {
        Mnemonic.Sidt => SvmExitCode.ReadIdtr,
        Mnemonic.Sgdt => SvmExitCode.ReadGdtr,
        Mnemonic.Sldt => SvmExitCode.ReadLdtr,
        Mnemonic.Str => SvmExitCode.ReadTr,
        Mnemonic.Lidt => SvmExitCode.WriteIdtr,
        Mnemonic.Lgdt => SvmExitCode.WriteGdtr,
        Mnemonic.Lldt => SvmExitCode.WriteLdtr,
        Mnemonic.Ltr => SvmExitCode.WriteTr,
        Mnemonic.Rdtsc => SvmExitCode.Rdtsc,
        Mnemonic.Rdpmc => SvmExitCode.Rdpmc,
        Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq => SvmExitCode.Pushf,
        Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq => SvmExitCode.Popf,
        Mnemonic.Cpuid => SvmExitCode.Cpuid,
        Mnemonic.Rsm => SvmExitCode.Rsm,
        Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq => SvmExitCode.Iret,
        Mnemonic.Int => SvmExitCode.SoftwareInterrupt,
        Mnemonic.Invd => SvmExitCode.Invd,
        Mnemonic.Pause => SvmExitCode.Pause,
        Mnemonic.Hlt => SvmExitCode.Hlt,
        Mnemonic.Invlpg => SvmExitCode.Invlpg,
        Mnemonic.Invlpga => SvmExitCode.Invlpga,
        Mnemonic.Vmrun => SvmExitCode.Vmrun,
        Mnemonic.Vmmcall => SvmExitCode.Vmmcall,
        Mnemonic.Vmload => SvmExitCode.Vmload,
        Mnemonic.Vmsave => SvmExitCode.Vmsave,
        Mnemonic.Stgi => SvmExitCode.Stgi,
        Mnemonic.Clgi => SvmExitCode.Clgi,
        Mnemonic.Skinit => SvmExitCode.Skinit,
        Mnemonic.Rdtscp => SvmExitCode.Rdtscp,
        Mnemonic.Wbinvd or Mnemonic.Wbnoinvd => SvmExitCode.Wbinvd,
        Mnemonic.Monitor => SvmExitCode.Monitor,
        Mnemonic.Mwait => SvmExitCode.Mwait,
        Mnemonic.Xsetbv => SvmExitCode.Xsetbv,
        Mnemonic.Rdpru => SvmExitCode.Rdpru,
        Mnemonic.Invpcid => SvmExitCode.Invpcid,
        _ => SvmExitCode.None,
    };

    /// <summary>True when the instruction is not to be executed: it was intercepted, or raises a fault that comes before.</summary>
    private static bool Exits(CpuState* s, Insn* i, bool memory, out Flow flow)
    {
        VmcbControl* c = Processor.Of(s).Nested.Control;
        Mnemonic m = ((Code)i->Code).Mnemonic();
        flow = Flow.Jump;
        uint code = Simple(m);
        if (code == SvmExitCode.None)
        {
            switch (m)
            {
                case Mnemonic.Rdmsr or Mnemonic.Wrmsr:
                    bool write = m == Mnemonic.Wrmsr;
                    return c->Has(SvmExitCode.Msr) && PermissionMaps.Intercepts(s, c, (uint)s->Gpr[State.Register.Rcx], write) && Leave(s, i, SvmExitCode.Msr, write ? 1u : 0);
                case Mnemonic.Mov:
                    return ExitsOnMove(s, i, c, out flow);
                case Mnemonic.Smsw:
                    code = SvmExitCode.ReadCr0;
                    break;
                case Mnemonic.Clts:
                    code = SvmExitCode.WriteCr0;
                    break;
                case Mnemonic.Lmsw:
                    return (c->Has(SvmExitCode.WriteCr0) && Leave(s, i, SvmExitCode.WriteCr0)) || (c->Has(SvmExitCode.Cr0SelectiveWrite) && ExitsOnLmsw(s, i, memory, out flow));
                default:
                    return ExitsOnPort(s, i, c, m, out flow);
            }
        }

        return c->Has(code) && Leave(s, i, code);
    }

    /// <summary>LMSW reaches PE and EM besides TS and MP, and cannot clear PE.</summary>
    private static bool ExitsOnLmsw(CpuState* s, Insn* i, bool memory, out Flow flow)
    {
        flow = Flow.Jump;
        ushort value;
        if (!memory)
        {
            value = Operand.Get<ushort>(s, i->R0);
        }
        else if (!Mem.Load(s, i, out value))
        {
            flow = Flow.Abort;
            return true;
        }

        bool changes = ((value ^ s->Cr0) & Cr0.EM) != 0 || ((value & ~s->Cr0) & Cr0.PE) != 0;
        return changes && Leave(s, i, SvmExitCode.Cr0SelectiveWrite);
    }

    private static bool ExitsOnMove(CpuState* s, Insn* i, VmcbControl* c, out Flow flow)
    {
        flow = Flow.Jump;
        switch ((Code)i->Code)
        {
            case Code.Mov_r32_cr or Code.Mov_r64_cr:
                return (c->Has(SvmExitCode.ReadCr0 + i->R1) && Leave(s, i, SvmExitCode.ReadCr0 + i->R1)) || ReadsVirtualPriority(s, i, c, out flow);
            case Code.Mov_r32_dr or Code.Mov_r64_dr:
                return c->Has(SvmExitCode.ReadDr0 + i->R1) && Leave(s, i, SvmExitCode.ReadDr0 + i->R1);
            case Code.Mov_dr_r32 or Code.Mov_dr_r64:
                return c->Has(SvmExitCode.WriteDr0 + i->R0) && Leave(s, i, SvmExitCode.WriteDr0 + i->R0);
            case Code.Mov_cr_r32 or Code.Mov_cr_r64:
                if (c->Has(SvmExitCode.WriteCr0 + i->R0))
                {
                    return Leave(s, i, SvmExitCode.WriteCr0 + i->R0);
                }

                ulong value = Operand.Get<ulong>(s, i->R1);
                if (i->R0 == 0 && c->Has(SvmExitCode.Cr0SelectiveWrite) && ((value ^ s->Cr0) & uint.MaxValue & ~(Cr0Quiet | Cr0.ET)) != 0)
                {
                    return Leave(s, i, SvmExitCode.Cr0SelectiveWrite);
                }

                return WritesVirtualPriority(s, i, c, value, out flow);
            default:
                return false;
        }
    }

    /// <summary>With V_INTR_MASKING CR8 is V_TPR. [APM2 15.21.2]</summary>
    private static bool ReadsVirtualPriority(CpuState* s, Insn* i, VmcbControl* c, out Flow flow)
    {
        flow = Flow.Next;
        if (i->R1 != 8 || (c->VirtualInterrupt & VmcbControl.VInterruptMasking) == 0)
        {
            return false;
        }

        Operand.Set(s, i->R0, (ulong)(c->VirtualInterrupt & 0xF));
        return true;
    }

    private static bool WritesVirtualPriority(CpuState* s, Insn* i, VmcbControl* c, ulong value, out Flow flow)
    {
        flow = Flow.End;
        if (i->R0 != 8 || (c->VirtualInterrupt & VmcbControl.VInterruptMasking) == 0)
        {
            return false;
        }

        if (value > 15)
        {
            flow = Events.Fault.Gp(s, 0);
            return true;
        }

        c->VirtualInterrupt = (c->VirtualInterrupt & ~VmcbControl.VTprMask) | (uint)value;
        Processor.Post(s, Request.Evaluate);
        return true;
    }

    /// <summary>After the checks of IOPL and TSS. The answer of user space to an access that was let through is not asked about again. semantics.md 4.6</summary>
    private static bool ExitsOnPort(CpuState* s, Insn* i, VmcbControl* c, Mnemonic m, out Flow flow)
    {
        flow = Flow.Jump;
        if (!c->Has(SvmExitCode.Io) || Processor.Of(s).Pending.IsReplay)
        {
            return false;
        }

        bool immediate = (Code)i->Code is Code.In_AL_imm8 or Code.In_AX_imm8 or Code.In_EAX_imm8 or Code.Out_imm8_AL or Code.Out_imm8_AX or Code.Out_imm8_EAX;
        ushort port = immediate ? (byte)i->Imm : (ushort)s->Gpr[State.Register.Rdx];
        int size = PortSize((Code)i->Code);
        if (!PortIo.IsAllowed(s, port, size))
        {
            flow = Flow.Abort;
            return true;
        }

        if (!PermissionMaps.Intercepts(s, c, port, size))
        {
            return false;
        }

        bool reads = m is Mnemonic.In or Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd, strings = m is not (Mnemonic.In or Mnemonic.Out);
        ulong info = (reads ? 1ul : 0) | ((ulong)size << 4) | ((ulong)port << 16);
        if (strings)
        {
            info |= 1 << 2;
            info |= (i->Flags & (InsnFlags.Rep | InsnFlags.Repne)) != 0 ? 1ul << 3 : 0;
            info |= (i->Flags & InsnFlags.Addr16) != 0 ? 1ul << 7 : (i->Flags & InsnFlags.Addr32) != 0 ? 1ul << 8 : 1ul << 9;
            info |= (ulong)(reads ? Segment.Es : i->Segment) << 10;
        }

        ulong next = i->NextRip(s);
        s->Rip = i->RipOf(s);
        VmExit.Leave(s, SvmExitCode.Io, info, next, next);
        return true;
    }

    private static int PortSize(Code code) => code switch
    {
        Code.In_AL_imm8 or Code.In_AL_DX or Code.Out_imm8_AL or Code.Out_DX_AL or Code.Insb_m8_DX or Code.Outsb_DX_m8 => 1,
        Code.In_AX_imm8 or Code.In_AX_DX or Code.Out_imm8_AX or Code.Out_DX_AX or Code.Insw_m16_DX or Code.Outsw_DX_m16 => 2,
        _ => 4,
    };

    private static bool Leave(CpuState* s, Insn* i, uint code, ulong info1 = 0)
    {
        ulong next = i->NextRip(s);
        s->Rip = i->RipOf(s);
        VmExit.Leave(s, code, info1, nextRip: next);
        return true;
    }
}
