using System.Runtime.Intrinsics.X86;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>Which instructions have host code. Everything else is interpreted.</summary>
/// <remarks>Valid for instructions of a block.</remarks>
internal static unsafe class Coverage
{
    /// <summary>What host code is made of an instruction.</summary>
    public enum Form
    {
        Interpreted,

        /// <summary>The guest's own opcode with mapped operands.</summary>
        Plain,

        /// <summary>Encoded anew (<see cref="EncodedCoverage"/>).</summary>
        Encoded,

        /// <summary>DIV or IDIV by 32 or 64 bits.</summary>
        Divide,
        Nothing,
        JumpIf,
        Jump,
        JumpIndirect,
        Call,
        CallIndirect,
        Return,
        Push,

        /// <summary>PUSH of a memory operand.</summary>
        PushMemory,
        Pop,
        Leave,
        SystemCall,
        SystemReturn,
        SwapGs,

        /// <summary>MOV from CR0, CR2, CR3 or CR4.</summary>
        ReadControl,

        /// <summary>CLD, STD, and CLI in kernel code.</summary>
        SystemFlag,

        /// <summary>MOV from a segment register to 32 or 64 bits.</summary>
        ReadSegment,
        PushFlags,
    }

    public static Form Of(Insn* i, in Instruction x, ModeKey mode)
    {
        // A handler that is not the row's was put there by a legality check, or was prepared.
        ref readonly IsaRow row = ref Isa.Row(x.Code);
        bool memory = HasMemory(x);
        nint handler = (nint)(x.HasLockPrefix ? row.Locked : memory ? row.Memory : row.Register);
        if (row.Prepare != null || (nint)i->Execute != handler || (memory && !IsAddressCovered(i, mode)))
        {
            return Form.Interpreted;
        }

        Form form = OfMnemonic(i, x, memory, mode);
        return form == Form.Plain && (!HasGeneralOperands(x, mode) || (HasHighByte(x) && (memory || UsesStackPointer(x))) || UndefinedFlags.HostsDiffer(x)) ? Form.Interpreted : form;
    }

    public static bool HasMemory(in Instruction x)
    {
        for (int n = 0; n < x.OpCount; n++)
        {
            if (x.GetOpKind(n) == OpKind.Memory)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>An operand is AH, CH, DH or BH, which excludes REX.</summary>
    public static bool HasHighByte(in Instruction x)
    {
        for (int n = 0; n < x.OpCount; n++)
        {
            if (x.GetOpKind(n) == OpKind.Register && x.GetOpRegister(n) is >= Iced.Intel.Register.AH and <= Iced.Intel.Register.BH)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The stack pointer is in a register whose number needs REX.</summary>
    private static bool UsesStackPointer(in Instruction x)
    {
        for (int n = 0; n < x.OpCount; n++)
        {
            if (x.GetOpKind(n) == OpKind.Register && x.GetOpRegister(n).GetFullRegister() == Iced.Intel.Register.RSP)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>In 64-bit code: 64-bit addresses, in no segment or in FS or GS.</summary>
    public static bool IsAddressCovered(Insn* i, ModeKey mode) => !Is64(mode)
        || ((i->Flags & (InsnFlags.Addr16 | InsnFlags.Addr32)) == 0 && ((i->Flags & InsnFlags.Flat) != 0 || i->Segment is Segment.Fs or Segment.Gs));

    public static bool Is64(ModeKey mode) => (mode & ModeKey.BitnessMask) == ModeKey.Code64;

    private static bool HasGeneralOperands(in Instruction x, ModeKey mode)
    {
        for (int n = 0; n < x.OpCount; n++)
        {
            if (x.GetOpKind(n) == OpKind.Register && !x.GetOpRegister(n).IsGPR())
            {
                return false;
            }
        }

        return !GuestAddress.IsAbsolute(x.Code) || !Is64(mode);
    }

    private static Form OfMnemonic(Insn* i, in Instruction x, bool memory, ModeKey mode)
    {
        switch (x.Mnemonic)
        {
            case Mnemonic.Mov when x.Code is Code.Mov_r32m16_Sreg or Code.Mov_r64m16_Sreg && !memory:
                return Form.ReadSegment;
            case Mnemonic.Mov when x.Code == Code.Mov_r64_cr:
                return i->R1 is 0 or 2 or 3 or 4 ? Form.ReadControl : Form.Interpreted;
            case Mnemonic.Mov or Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Movsxd or Mnemonic.Lea or Mnemonic.Xchg or Mnemonic.Movnti
                or Mnemonic.Add or Mnemonic.Or or Mnemonic.Adc or Mnemonic.Sbb or Mnemonic.And or Mnemonic.Sub or Mnemonic.Xor or Mnemonic.Cmp or Mnemonic.Test
                or Mnemonic.Inc or Mnemonic.Dec or Mnemonic.Neg or Mnemonic.Not or Mnemonic.Mul or Mnemonic.Imul
                or Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd
                or Mnemonic.Cbw or Mnemonic.Cwde or Mnemonic.Cdqe or Mnemonic.Cwd or Mnemonic.Cdq or Mnemonic.Cqo
                or Mnemonic.Clc or Mnemonic.Stc or Mnemonic.Cmc or Mnemonic.Bsf or Mnemonic.Bsr or Mnemonic.Xadd or Mnemonic.Cmpxchg
                or Mnemonic.Seto or Mnemonic.Setno or Mnemonic.Setb or Mnemonic.Setae or Mnemonic.Sete or Mnemonic.Setne or Mnemonic.Setbe or Mnemonic.Seta
                or Mnemonic.Sets or Mnemonic.Setns or Mnemonic.Setp or Mnemonic.Setnp or Mnemonic.Setl or Mnemonic.Setge or Mnemonic.Setle or Mnemonic.Setg
                or Mnemonic.Cmovo or Mnemonic.Cmovno or Mnemonic.Cmovb or Mnemonic.Cmovae or Mnemonic.Cmove or Mnemonic.Cmovne or Mnemonic.Cmovbe or Mnemonic.Cmova
                or Mnemonic.Cmovs or Mnemonic.Cmovns or Mnemonic.Cmovp or Mnemonic.Cmovnp or Mnemonic.Cmovl or Mnemonic.Cmovge or Mnemonic.Cmovle or Mnemonic.Cmovg:
                return Form.Plain;
            case Mnemonic.Bswap:
                return x.Code == Code.Bswap_r16 ? Form.Interpreted : Form.Plain;
            case Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc:
                // A register offset reaches beyond a memory operand.
                return memory && x.Op1Kind == OpKind.Register ? Form.Interpreted : Form.Plain;
            case Mnemonic.Div or Mnemonic.Idiv:
                return x.Code is Code.Div_rm32 or Code.Div_rm64 or Code.Idiv_rm32 or Code.Idiv_rm64 ? Form.Divide : Form.Interpreted;
            case Mnemonic.Popcnt:
                return Popcnt.IsSupported ? Form.Plain : Form.Interpreted;
            case Mnemonic.Tzcnt:
                return Bmi1.IsSupported ? Form.Plain : Form.Interpreted;
            case Mnemonic.Lzcnt:
                return Lzcnt.IsSupported ? Form.Plain : Form.Interpreted;
            case Mnemonic.Nop or Mnemonic.Endbr64 or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Prefetchnta or Mnemonic.Prefetchw:
                return Form.Nothing;
            default:
                return Is64(mode) ? OfStackAndFlow64(i, x, memory, mode) : OfStackAndFlow(x, memory, mode);
        }
    }

    /// <summary>The distance of the target from the block's start fits into a displacement.</summary>
    private static bool IsNear(Insn* i) => (long)i->Imm == (int)i->Imm;

    /// <summary>In 16- and 32-bit code.</summary>
    private static Form OfStackAndFlow(in Instruction x, bool memory, ModeKey mode)
    {
        switch (x.Code)
        {
            case Code.Push_r16 or Code.Push_r32 or Code.Pushw_imm8 or Code.Pushd_imm8 or Code.Push_imm16 or Code.Pushd_imm32:
                return Form.Push;
            case Code.Push_rm16 or Code.Push_rm32:
                return memory ? Form.PushMemory : Form.Push;
            case Code.Pop_r16 or Code.Pop_r32:
                return Form.Pop;
            case Code.Leavew or Code.Leaved:
                return Form.Leave;
            case Code.Jmp_rel8_16 or Code.Jmp_rel8_32 or Code.Jmp_rel16 or Code.Jmp_rel32_32:
                return Form.Jump;
            case Code.Jmp_rm16 or Code.Jmp_rm32:
                return Form.JumpIndirect;
            case Code.Call_rel16 or Code.Call_rel32_32:
                return Form.Call;
            case Code.Call_rm16 or Code.Call_rm32:
                return Form.CallIndirect;
            case Code.Retnw or Code.Retnw_imm16 or Code.Retnd or Code.Retnd_imm16:
                return Form.Return;
            default:
                return x.IsJccShortOrNear ? Form.JumpIf : OfSystemFlags(x, mode);
        }
    }

    private static Form OfSystemFlags(in Instruction x, ModeKey mode) => x.Code switch
    {
        Code.Cld or Code.Std => Form.SystemFlag,
        Code.Cli when (mode & ModeKey.Cpl0) != 0 => Form.SystemFlag,
        _ => Form.Interpreted,
    };

    private static Form OfStackAndFlow64(Insn* i, in Instruction x, bool memory, ModeKey mode)
    {
        switch (x.Code)
        {
            case Code.Push_r64 or Code.Pushq_imm8 or Code.Pushq_imm32:
                return Form.Push;
            case Code.Push_rm64:
                return memory ? Form.PushMemory : Form.Push;
            case Code.Pop_r64:
                return Form.Pop;
            case Code.Syscall:
                return Form.SystemCall;
            case Code.Sysretq:
                return Form.SystemReturn;
            case Code.Swapgs:
                return Form.SwapGs;
            case Code.Pushfq:
                return Form.PushFlags;
            case Code.Leaveq:
                return Form.Leave;
            case Code.Jmp_rel8_64 or Code.Jmp_rel32_64:
                return IsNear(i) ? Form.Jump : Form.Interpreted;
            case Code.Jmp_rm64:
                return Form.JumpIndirect;
            case Code.Call_rel32_64:
                return IsNear(i) ? Form.Call : Form.Interpreted;
            case Code.Call_rm64:
                return Form.CallIndirect;
            case Code.Retnq or Code.Retnq_imm16:
                return Form.Return;
            default:
                return x.IsJccShortOrNear && IsNear(i) && x.Op0Kind == OpKind.NearBranch64 ? Form.JumpIf : OfSystemFlags(x, mode);
        }
    }
}
