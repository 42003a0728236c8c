using Akvam.Cpu.Interpreter;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The guest's own instruction, with its operands where they are on the host.</summary>
    private void EmitPlain(int n)
    {
        ref readonly Instruction x = ref _guest[n];
        Insn* i = Insn(n);
        if (_uses[n].Writes != 0 && (_leftWith[n] || _jumpsWith[n]) && TryOperation(x, out Operation operation) && (_leftWith[n] || Defer(x, operation, SizeOf(x)) != null))
        {
            EmitOperation(n, operation);
            return;
        }

        var bytes = new ReadOnlySpan<byte>(Block.Code(_block) + i->Offset, i->Length);
        var guest = new GuestBytes(bytes, _code64);
        var encoding = Encoding.Of(x);
        if (Accesses(n))
        {
            EmitMemoryForm(n, guest, encoding, bytes);
            return;
        }

        NeedHostFlags(NeededFlags(n));
        BeforeShift(n);

        if (x.Mnemonic == Mnemonic.Lea)
        {
            EmitLea(n, guest, encoding);
        }
        else if ((!encoding.HasModRm && encoding.InOpcode < 0) || Coverage.HasHighByte(x))
        {
            // Accumulator forms and high bytes are the same on the host.
            CopyInstruction(x, guest, bytes);
        }
        else if (encoding.InOpcode >= 0)
        {
            EmitOpcodeForm(x, guest, encoding, ImmediateOf(n, bytes));
        }
        else
        {
            EmitRegisterForm(x, guest, encoding, ImmediateOf(n, bytes));
        }

        FlagsWritten(AfterShift(n));
    }

    /// <summary>A shift by CL may be one of CL.</summary>
    private void BeforeShift(int n)
    {
        if (_uses[n].DependsOnCount && (_liveAfter[n] & _uses[n].Clear) != 0)
        {
            _e.Store(HostMemory.State(StateOffset.Saved), HostRegister.Rcx);
        }
    }

    /// <summary>What is undefined after a shift by CL is made clear at once, if anybody asks for it. Returns what the instruction has done to the flags then.</summary>
    private FlagUse AfterShift(int n)
    {
        FlagUse use = _uses[n];
        if (!use.DependsOnCount || (_liveAfter[n] & use.Clear) == 0)
        {
            return use;
        }

        Recipes.ClearAfterShift(_e, use.Clear, SizeOf(_guest[n]));
        return use with { Clear = 0 };
    }

    private ReadOnlySpan<byte> ImmediateOf(int n, ReadOnlySpan<byte> bytes) => bytes[^_immediateSizes[n]..];

    private static int Guest(in Instruction x, int operand) => x.GetOpRegister(operand).GetFullRegister().GetNumber();

    private static bool Writes(OpAccess access) => access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;

    private void CopyInstruction(in Instruction x, in GuestBytes guest, ReadOnlySpan<byte> bytes)
    {
        if (_code64)
        {
            _e.Copy(bytes);
            return;
        }

        Prefixes(x, guest);
        _e.Opcode(guest.Opcode);
        _e.Copy(bytes[guest.OperandsAt..]);
    }

    /// <summary>Outside 64-bit code the prefix may mean the other size: the instruction's first operand, or its name, tells.</summary>
    private static bool IsOfWords(in Instruction x) => x.Mnemonic is Mnemonic.Cbw or Mnemonic.Cwd
        || (x.OpCount != 0 && (x.Op0Kind == OpKind.Register ? x.Op0Register.GetSize() : x.Op0Kind == OpKind.Memory ? x.MemorySize.GetSize() : 0) == 2);

    /// <summary>Prefixes that the opcode needs. F2 and F3 are part of these few opcodes only.</summary>
    private void Prefixes(in Instruction x, in GuestBytes guest)
    {
        if (guest.Lock)
        {
            _e.U8(0xF0);
        }

        if (_code64 ? guest.OperandSize : IsOfWords(x))
        {
            _e.U8(0x66);
        }

        if (x.Mnemonic is Mnemonic.Popcnt or Mnemonic.Tzcnt or Mnemonic.Lzcnt)
        {
            _e.U8(guest.Repeat);
        }
    }

    private void EmitMemoryForm(int n, in GuestBytes guest, Encoding encoding, ReadOnlySpan<byte> bytes)
    {
        ref readonly Instruction x = ref _guest[n];
        if (GuestAddress.IsAbsolute(x.Code))
        {
            EmitAbsolute(n, guest);
            return;
        }

        InstructionInfo info = _info.GetInfo(x);
        bool write = Writes(info.GetOpAccess(encoding.Rm));
        HostMemory operand = FindOperand(n, x.MemorySize.GetSize(), write);
        NeedHostFlags(NeededFlags(n));
        BeforeShift(n);

        int reg = encoding.Reg < 0 ? guest.Reg : LoadGuest(Guest(x, encoding.Reg), Scratch);
        Prefixes(x, guest);
        _e.Op(guest.Opcode, reg, operand, guest.Wide, guest.Rex != 0);
        _e.Copy(ImmediateOf(n, bytes));
        if (encoding.Reg >= 0 && Writes(info.GetOpAccess(encoding.Reg)))
        {
            StoreGuest(Guest(x, encoding.Reg), reg);
        }

        FlagsWritten(AfterShift(n));
        AfterAccess(n);
    }

    /// <summary>MOV with an address as an immediate (A0 to A3) becomes the form with ModRM (88 to 8B): their bits for size are alike, those for the direction are not.</summary>
    private void EmitAbsolute(int n, in GuestBytes guest)
    {
        const int FromMemory = 0x8A, ToMemory = 0x88, Store = 2, Sized = 1;
        bool write = (guest.Opcode & Store) != 0;
        HostMemory operand = FindOperand(n, _guest[n].MemorySize.GetSize(), write);
        Prefixes(_guest[n], guest);
        _e.Op((write ? ToMemory : FromMemory) | (guest.Opcode & Sized), HostRegister.Rax, operand, wide: false);
        AfterAccess(n);
    }

    /// <summary>LEA changes no flag, so neither may what computes its operand.</summary>
    private void EmitLea(int n, in GuestBytes guest, Encoding encoding)
    {
        ref readonly Instruction x = ref _guest[n];
        GuestAddress a = AddressOf(n);
        if (a.Width == 2)
        {
            // What is cut to 16 bits first, and then to the operand's size.
            LoadOffset(Address, a);
            _e.SizedOp(0x88, SizeOf(x), Address, HostRegister.Of(Guest(x, encoding.Reg)));
            return;
        }

        int b = GuestAddress.Host(a.Base), index = GuestAddress.Host(a.Index);
        if (GuestAddress.InMemory(a.Base))
        {
            LoadBase(Scratch, a.Base);
            b = Scratch;
        }

        if (GuestAddress.InMemory(a.Index))
        {
            _e.Load(Address, HostMemory.State(a.Index));
            index = Address;
        }

        int to = Guest(x, encoding.Reg);
        int host = HostRegister.Of(to);
        if (host < 0)
        {
            host = Scratch;
            if (x.GetOpRegister(encoding.Reg).GetSize() == 2)
            {
                // The upper part stays: it has to be loaded, after the operand.
                _e.Lea(Address, new HostMemory(b, index, a.Scale, a.Disp));
                _e.U8(0x66);
                _e.Op(0x89, Address, HostMemory.State(to * 8), wide: false);
                return;
            }
        }

        Prefixes(x, guest);
        _e.Op(guest.Opcode, host, new HostMemory(b, index, a.Scale, a.Disp), guest.Wide, guest.Rex != 0);
        StoreGuest(to, host);
    }

    /// <summary>The register is in the low bits of the opcode: MOV immediate, BSWAP, XCHG with the accumulator.</summary>
    private void EmitOpcodeForm(in Instruction x, in GuestBytes guest, Encoding encoding, ReadOnlySpan<byte> immediate)
    {
        int register = Guest(x, encoding.InOpcode);
        int host = LoadGuest(register, Scratch);
        if (x.Mnemonic is Mnemonic.Inc or Mnemonic.Dec)
        {
            // The short forms are REX in 64-bit code.
            _e.SizedOp(0xFE, SizeOf(x), x.Mnemonic == Mnemonic.Inc ? 0 : 1, host);
            return;
        }

        Prefixes(x, guest);
        _e.Rex(guest.Wide, 0, 0, host >> 3, guest.Rex != 0);
        _e.Opcode((guest.Opcode & ~7) | (host & 7));
        _e.Copy(immediate);
        StoreGuest(register, host);
    }

    private void EmitRegisterForm(in Instruction x, in GuestBytes guest, Encoding encoding, ReadOnlySpan<byte> immediate)
    {
        InstructionInfo info = _info.GetInfo(x);
        int rm = Guest(x, encoding.Rm), register = encoding.Reg < 0 ? -1 : Guest(x, encoding.Reg);
        bool writesRm = Writes(info.GetOpAccess(encoding.Rm));
        bool inPlace = HostRegister.Of(rm) < 0 && register != rm && IsMemoryFormAlike(x, encoding, writesRm);
        int hostRm = inPlace ? -1 : LoadGuest(rm, Scratch);
        int reg = register < 0 ? guest.Reg : register == rm ? hostRm : LoadGuest(register, Address);
        Prefixes(x, guest);
        if (inPlace)
        {
            _e.Op(guest.Opcode, reg, HostMemory.State(rm * 8), guest.Wide, guest.Rex != 0);
        }
        else
        {
            _e.Op(guest.Opcode, reg, hostRm, guest.Wide, guest.Rex != 0);
        }

        _e.Copy(immediate);
        if (writesRm && !inPlace)
        {
            StoreGuest(rm, hostRm);
        }

        if (register >= 0 && Writes(info.GetOpAccess(encoding.Reg)))
        {
            StoreGuest(register, reg);
        }
    }

    /// <summary>A register in memory can be a memory operand: not where a 32-bit write clears the upper half, nor where memory is locked or addressed by bits.</summary>
    private static bool IsMemoryFormAlike(in Instruction x, Encoding encoding, bool writesRm) =>
        !(writesRm && x.GetOpRegister(encoding.Rm).GetSize() == 4)
        && x.Mnemonic is not (Mnemonic.Xchg or Mnemonic.Xadd or Mnemonic.Cmpxchg or Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc);
}
