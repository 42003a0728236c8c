using System.Numerics;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <content>
/// SYSCALL, SYSRET and SWAPGS of 64-bit code. What they change beside registers follows from the block's mode and a few fields of the state; whatever lets an event in,
/// or changes who accesses memory in another way than by CPL, is left to the interpreter. [APM3 SYSCALL] [APM3 SYSRET]
/// </content>
/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int GuestR11 = 11, And32 = 0x23, Or32 = 0x0B, Not = 2;
    private const ulong LazyImage = Rflags.Lazy & 0xFF;
    private const ulong CodeSegment = (ulong)(0xB | SegmentRegister.S | SegmentRegister.P | SegmentRegister.L | SegmentRegister.G) << 48;
    private const ulong StackSegment = (ulong)(0x3 | SegmentRegister.S | SegmentRegister.P | SegmentRegister.Db | SegmentRegister.G) << 48;
    private const ulong Ring3 = 3ul << (SegmentRegister.DplShift + 48);

    private static int Log2(ulong bit) => BitOperations.TrailingZeroCount(bit);

    private void EmitSystemCall(int n, ulong next)
    {
        // With AC the tag of data accesses depends on more than CPL.
        TestFlags(Rflags.AC);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);
        NeedHostFlags();
        _e.U8(0x9C);
        _e.Pop(Scratch);
        _e.AluImmediate(And, Scratch, (int)Rflags.Lazy, wide: false);
        _e.Op(Or32, Scratch, HostMemory.State(SystemOffset.SystemFlags));

        // RCX is free until it gets the return address.
        const int flags = HostRegister.Rcx;
        _e.Load(flags, HostMemory.State(SystemOffset.Sfmask));
        _e.Op(0xF7, Not, flags);
        _e.Op(And32, flags, Scratch);
        WithR11(0x89, Scratch);
        StoreLoadedFlags(flags);

        _e.Load(flags, HostMemory.State(SystemOffset.Star));
        _e.ShiftImmediate(ShiftRight, flags, 32);
        _e.AluImmediate(And, flags, 0xFFFC, wide: false);
        _e.Lea(Scratch, new HostMemory(flags, 8));
        StoreSegment(SystemOffset.Ss, Scratch, StackSegment);
        StoreSegment(SystemOffset.Cs, flags, CodeSegment);

        ModeKey kernel = (_block->Mode & ~(ModeKey.Cpl3 | ModeKey.Umip)) | ModeKey.Cpl0;
        _e.MoveImmediate(Scratch, (uint)kernel);
        StoreLevel(cpl: 0, TlbTag.Supervisor);
        _e.Load(Scratch, HostMemory.State(SystemOffset.Lstar));
        _e.MoveImmediate(HostRegister.Rcx, next);
        _e.JumpTo(_routines.DispatchElsewhere);
    }

    /// <summary>SYSRET with a 64-bit operand size; only in kernel code.</summary>
    private void EmitSystemReturn(int n)
    {
        const ulong Rare = Rflags.TF | Rflags.AC | Rflags.VIF | Rflags.VIP;
        WithR11(0x8B, Scratch);
        _e.Op(0xF7, 0, Scratch, wide: false);
        _e.U32((int)Rare);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);
        TestFlags(Rflags.VIF | Rflags.VIP | Rflags.AC);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);

        // Interrupts that are let in may be waiting.
        _e.Load(Scratch, HostMemory.State(SystemOffset.SystemFlags));
        _e.Op(0xF7, Not, Scratch);
        WithR11(And32, Scratch);
        _e.Op(0xF7, 0, Scratch, wide: false);
        _e.U32((int)Rflags.IF);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);

        WithR11(0x8B, Scratch);
        _e.AluImmediate(And, Scratch, (int)(Rflags.Defined & ~(Rflags.RF | Rflags.VM)), wide: false);
        StoreLoadedFlags(Scratch);

        // Base, limit and attributes of SS stay what they are.
        _e.Load(Scratch, HostMemory.State(SystemOffset.Star));
        _e.ShiftImmediate(ShiftRight, Scratch, 48);
        _e.Lea(Address, new HostMemory(Scratch, 8));
        _e.StoreSized(HostMemory.State(SystemOffset.Ss + SystemOffset.SegmentSelector), Address, 2);
        _e.AluImmediate(Add, Scratch, 16, wide: false);
        _e.AluImmediate(Or, Scratch, 3, wide: false);
        StoreSegment(SystemOffset.Cs, Scratch, CodeSegment | Ring3);

        // UMIP is in the mode of user code only.
        _e.Load32(Scratch, HostMemory.State(SystemOffset.Cr4));
        _e.AluImmediate(And, Scratch, (int)Cr4.UMIP, wide: false);
        _e.ShiftImmediate(ShiftLeft, Scratch, Log2((ulong)ModeKey.Umip) - Log2(Cr4.UMIP));
        _e.AluImmediate(Or, Scratch, (int)((_block->Mode & ~ModeKey.Cpl0) | ModeKey.Cpl3), wide: false);
        StoreLevel(cpl: 3, TlbTag.User);
        _e.Move(Scratch, HostRegister.Rcx);
        _e.JumpTo(_routines.DispatchElsewhere);
    }

    /// <summary>An instruction with the guest's R11, wherever it is, as its second operand.</summary>
    private void WithR11(int opcode, int register)
    {
        int host = HostRegister.Of(GuestR11);
        if (host >= 0)
        {
            _e.Op(opcode, register, host);
        }
        else
        {
            _e.Op(opcode, register, HostMemory.State(GuestR11 * 8));
        }
    }

    private void EmitSwapGs()
    {
        _e.Load(Scratch, HostMemory.State(StateOffset.GsBase));
        _e.Load(Address, HostMemory.State(SystemOffset.KernelGsBase));
        _e.Store(HostMemory.State(SystemOffset.KernelGsBase), Scratch);
        _e.Store(HostMemory.State(StateOffset.GsBase), Address);
    }

    private void EmitReadControl(int n)
    {
        int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
        _e.Load(host < 0 ? Scratch : host, HostMemory.State(SystemOffset.Control(Insn(n)->R1)));
        StoreGuest(guest, Scratch);
    }

    private void EmitReadSegment(int n)
    {
        int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
        _e.Op(0x0FB7, host < 0 ? Scratch : host, HostMemory.State(StateOffset.SegmentSelector(Insn(n)->R1)), wide: false);
        StoreGuest(guest, Scratch);
    }

    /// <summary>PUSHFQ. [APM3 PUSHF]</summary>
    private void EmitPushFlags(int n)
    {
        NeedHostFlags();
        SaveFlags();
        _e.U8(0x9C);
        _e.Pop(Scratch);
        _inHost = 0;
        _e.AluImmediate(And, Scratch, (int)Rflags.Lazy, wide: false);
        _e.Op(Or32, Scratch, HostMemory.State(SystemOffset.SystemFlags));
        _e.AluImmediate(And, Scratch, ~(int)(Rflags.RF | Rflags.VM));
        _e.Store(HostMemory.State(StateOffset.Saved), Scratch);
        LookUp(n, OnStack(-8), 8, write: true);
        _e.Load(Scratch, HostMemory.State(StateOffset.Saved));
        _e.Store(Stack(-8), Scratch);
        MoveStackPointer(-8);
        ResumeHere(n);
    }

    /// <summary>STI with an instruction behind it in the block: no event comes between the two anyway.</summary>
    private bool IsShielded(int n) => _guest[n].Code == Code.Sti && n + 1 < _block->Count;

    /// <summary>None of them lets an event in.</summary>
    private void EmitSystemFlag(int n)
    {
        HostMemory flags = HostMemory.State(SystemOffset.SystemFlags);
        switch (_guest[n].Mnemonic)
        {
            case Mnemonic.Cld:
                _e.AluImmediate(And, flags, ~(int)Rflags.DF);
                break;
            case Mnemonic.Std:
                _e.AluImmediate(Or, flags, (int)Rflags.DF);
                break;
            default:
                _e.AluImmediate(And, flags, ~(int)Rflags.IF);
                break;
        }
    }

    private void TestFlags(ulong flags)
    {
        _e.Op(0xF7, 0, HostMemory.State(SystemOffset.SystemFlags), wide: false);
        _e.U32((int)flags);
    }

    /// <summary>RFLAGS from a register, whose value is lost. Changes the address register too.</summary>
    private void StoreLoadedFlags(int from)
    {
        _e.Move(Address, from);
        _e.AluImmediate(And, Address, ~(int)Rflags.Lazy);
        _e.AluImmediate(Or, Address, (int)Rflags.Fixed);
        _e.Store(HostMemory.State(SystemOffset.SystemFlags), Address);
        _e.Op(0x8B, Address, from, wide: false);
        _e.AluImmediate(And, Address, (int)LazyImage, wide: false);
        _e.ShiftImmediate(ShiftLeft, Address, 8);
        _e.ShiftImmediate(ShiftRight, from, Log2(Rflags.OF));
        _e.AluImmediate(And, from, 1, wide: false);
        _e.Op(Or32, Address, from, wide: false);
        _e.Op(0x89, Address, HostMemory.State(StateOffset.HostFlags), wide: false);
        SetRecipe(Recipe.Image);
    }

    /// <summary>A flat segment; the selector is in the low 16 bits of a register, which is lost as the address register is.</summary>
    private void StoreSegment(int segment, int selector, ulong attributes)
    {
        _e.Op(0x0FB7, selector, selector, wide: false);
        _e.ShiftImmediate(ShiftLeft, selector, 32);
        _e.MoveImmediate(Address, attributes | uint.MaxValue);
        _e.Op(Or32, selector, Address);
        _e.Store(HostMemory.State(segment + SystemOffset.SegmentLimit), selector);
        _e.Store64(HostMemory.State(segment), 0, Address);
        StoreByte(segment + SystemOffset.SegmentUnusable, 0);
    }

    /// <summary>What derives from CPL, as Processor.UpdateLevel has it without AC. The mode is in the scratch register.</summary>
    private void StoreLevel(int cpl, ulong who)
    {
        StoreByte(SystemOffset.Cpl, cpl);
        StoreByte(SystemOffset.SlowWho, (int)who);
        StoreByte(SystemOffset.AlignmentCheck, 0);
        _e.Op(0x89, Scratch, HostMemory.State(SystemOffset.Mode), wide: false);
        _e.Load(Address, HostMemory.State(SystemOffset.SystemTag));
        if (who != 0)
        {
            _e.AluImmediate(Or, Address, (int)who);
        }

        _e.Store(HostMemory.State(StateOffset.DataTag), Address);
        _e.Store(HostMemory.State(SystemOffset.CodeTag), Address);
        _e.ShiftImmediate(ShiftLeft, Scratch, CodeStore.ModeShift);
        _e.Op(Or32, Scratch, Address);
        _e.Load32(Address, HostMemory.State(SystemOffset.Epoch));
        _e.ShiftImmediate(ShiftLeft, Address, CodeStore.EpochShift);
        _e.Op(Or32, Scratch, Address);
        _e.Store(HostMemory.State(StateOffset.Stamp), Scratch);
    }

    private void StoreByte(int offset, int value)
    {
        _e.Op(0xC6, 0, HostMemory.State(offset), wide: false);
        _e.U8(value);
    }
}
