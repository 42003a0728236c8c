using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;

namespace Akvam.Cpu.Translator;

/// <summary>
/// Writes host instructions into a buffer that is then copied to where it runs. Jumps out of it are relative to <see cref="Origin"/>, its future address.
/// An opcode is given with its escape bytes, as it reads in the manual (0x0FB6).
/// </summary>
internal sealed class Emitter
{
    /// <summary>More than the longest block needs: at most 48 instructions, each with its slow path.</summary>
    public const int MaxBytes = 64 << 10;

    private readonly byte[] _buffer = new byte[MaxBytes];

    /// <summary>Where the first byte will be.</summary>
    public nint Origin { get; private set; }

    public int Position { get; private set; }

    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, Position);

    /// <summary>How many instructions so far may have changed the address register, but for those that go round <see cref="Op(int, int, int, bool, bool)"/> and its like.</summary>
    public int AddressChanges { get; private set; }

    /// <summary>An instruction that was written otherwise may have changed the address register.</summary>
    public void ChangeAddress() => AddressChanges++;

    public void Start(nint origin)
    {
        Origin = origin;
        Position = 0;
    }

    public void U8(int value) => _buffer[Position++] = (byte)value;

    public void U32(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(Position), value);
        Position += 4;
    }

    public void U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(Position), value);
        Position += 8;
    }

    public void Copy(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer.AsSpan(Position));
        Position += bytes.Length;
    }

    /// <summary>An instruction with two register numbers (or an opcode extension in <paramref name="reg"/>).</summary>
    public void Op(int opcode, int reg, int rm, bool wide = true, bool rex = false)
    {
        Note(reg);
        Note(rm);
        Rex(wide, reg >> 3, 0, rm >> 3, rex);
        Opcode(opcode);
        U8(0xC0 | ((reg & 7) << 3) | (rm & 7));
    }

    private void Note(int register) => AddressChanges += register == HostRegister.Address ? 1 : 0;

    /// <summary>An instruction with a memory operand.</summary>
    public void Op(int opcode, int reg, in HostMemory m, bool wide = true, bool rex = false)
    {
        Note(reg);
        Rex(wide, reg >> 3, m.Index < 0 ? 0 : m.Index >> 3, m.Base < 0 ? 0 : m.Base >> 3, rex);
        Opcode(opcode);
        int r = (reg & 7) << 3;
        if (m.Base < 0)
        {
            U8(r | 4);
            U8((m.Scale << 6) | ((m.Index < 0 ? 4 : m.Index & 7) << 3) | 5);
            U32(m.Disp);
            return;
        }

        int mod = m.Disp == 0 && (m.Base & 7) != 5 ? 0 : m.Disp is >= -128 and < 128 ? 1 : 2;
        if (m.Index >= 0 || (m.Base & 7) == 4)
        {
            U8((mod << 6) | r | 4);
            U8((m.Scale << 6) | ((m.Index < 0 ? 4 : m.Index & 7) << 3) | (m.Base & 7));
        }
        else
        {
            U8((mod << 6) | r | (m.Base & 7));
        }

        if (mod == 1)
        {
            U8(m.Disp);
        }
        else if (mod == 2)
        {
            U32(m.Disp);
        }
    }

    /// <summary>An instruction on operands of 1, 2, 4 or 8 bytes, given with the opcode of its form for bytes; two-byte opcodes have one form only.</summary>
    public void SizedOp(int opcode, int size, int reg, int rm)
    {
        SizePrefix(size);
        Op(opcode | (size == 1 || opcode > 0xFF ? 0 : 1), reg, rm, size == 8, rex: true);
    }

    public void SizedOp(int opcode, int size, int reg, in HostMemory m)
    {
        SizePrefix(size);
        Op(opcode | (size == 1 || opcode > 0xFF ? 0 : 1), reg, m, size == 8, rex: true);
    }

    /// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP (0 to 7) with an immediate, on a register of 1, 2, 4 or 8 bytes.</summary>
    public void SizedImmediate(int operation, int size, int register, int value)
    {
        bool small = value is >= -128 and < 128;
        SizePrefix(size);
        Op(size == 1 ? 0x80 : small ? 0x83 : 0x81, operation, register, size == 8, rex: true);
        ImmediateOf(small ? 1 : size, value);
    }

    /// <summary>An immediate as instructions have it: 4 bytes for 8.</summary>
    public void ImmediateOf(int size, int value)
    {
        switch (size)
        {
            case 1:
                U8(value);
                break;
            case 2:
                U8(value);
                U8(value >> 8);
                break;
            default:
                U32(value);
                break;
        }
    }

    private void SizePrefix(int size)
    {
        if (size == 2)
        {
            U8(0x66);
        }
    }

    public void Rex(bool wide, int r, int x, int b, bool always)
    {
        int bits = (wide ? 8 : 0) | (r << 2) | (x << 1) | b;
        if (bits != 0 || always)
        {
            U8(0x40 | bits);
        }
    }

    public void Opcode(int opcode)
    {
        if (opcode > 0xFFFF)
        {
            U8(opcode >> 16);
        }

        if (opcode > 0xFF)
        {
            U8(opcode >> 8);
        }

        U8(opcode);
    }

    public void Move(int to, int from) => Op(0x8B, to, from);

    public void Load(int to, in HostMemory from) => Op(0x8B, to, from);

    public void Load32(int to, in HostMemory from) => Op(0x8B, to, from, wide: false);

    public void Store(in HostMemory to, int from) => Op(0x89, from, to);

    public void Lea(int to, in HostMemory m) => Op(0x8D, to, m);

    public void MoveImmediate(int to, ulong value)
    {
        if ((long)value == (int)value)
        {
            Op(0xC7, 0, to);
            U32((int)value);
            return;
        }

        Note(to);
        Rex(true, 0, 0, to >> 3, false);
        U8(0xB8 | (to & 7));
        U64(value);
    }

    /// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP (0 to 7) with an immediate.</summary>
    public void AluImmediate(int operation, int register, int value, bool wide = true)
    {
        Op(value is >= -128 and < 128 ? 0x83 : 0x81, operation, register, wide);
        Immediate(value);
    }

    public void AluImmediate(int operation, in HostMemory m, int value, bool wide = true)
    {
        Op(value is >= -128 and < 128 ? 0x83 : 0x81, operation, m, wide);
        Immediate(value);
    }

    /// <summary>Stores a constant of 32 bits.</summary>
    public void Store32(in HostMemory to, int value)
    {
        Op(0xC7, 0, to, wide: false);
        U32(value);
    }

    /// <summary>Stores a constant of 64 bits; a register may be needed for it.</summary>
    public void Store64(in HostMemory to, ulong value, int scratch)
    {
        if ((long)value == (int)value)
        {
            Op(0xC7, 0, to);
            U32((int)value);
            return;
        }

        MoveImmediate(scratch, value);
        Store(to, scratch);
    }

    public void Push(int register)
    {
        Rex(false, 0, 0, register >> 3, false);
        U8(0x50 | (register & 7));
    }

    /// <summary>Pushes 64 bits.</summary>
    public void PushImmediate(int value)
    {
        U8(0x68);
        U32(value);
    }

    public void Pop(int register)
    {
        Note(register);
        Rex(false, 0, 0, register >> 3, false);
        U8(0x58 | (register & 7));
    }

    public void Push(in HostMemory m) => Op(0xFF, 6, m, wide: false);

    public void Pop(in HostMemory m) => Op(0x8F, 0, m, wide: false);

    public void Return() => U8(0xC3);

    /// <summary>Loads 1, 2, 4 or 8 bytes; the rest of the register is 0.</summary>
    public void LoadSized(int to, in HostMemory from, int size) => Op(size == 1 ? 0x0FB6 : size == 2 ? 0x0FB7 : 0x8B, to, from, size == 8);

    public void StoreSized(in HostMemory to, int from, int size) => SizedOp(0x88, size, from, to);

    /// <summary>SHL 4, SHR 5, SAR 7.</summary>
    public void ShiftImmediate(int operation, int register, int count, bool wide = true)
    {
        Op(0xC1, operation, register, wide);
        U8(count);
    }

    /// <summary>Another register, shifted; its upper <paramref name="count"/> bits are undefined.</summary>
    public void ShiftRightInto(int to, int from, int count)
    {
        if (!Bmi2.IsSupported)
        {
            Move(to, from);
            ShiftImmediate(5, to, count);
            return;
        }

        Note(to);

        // RORX: the one shift that leaves its source alone.
        U8(0xC4);
        U8(0x43 | (to < 8 ? 0x80 : 0) | (from < 8 ? 0x20 : 0));
        U8(0xFB);
        U8(0xF0);
        U8(0xC0 | ((to & 7) << 3) | (from & 7));
        U8(count);
    }

    private void Immediate(int value)
    {
        if (value is >= -128 and < 128)
        {
            U8(value);
        }
        else
        {
            U32(value);
        }
    }

    /// <summary>A forward conditional jump; its place is later given to <see cref="Patch"/>.</summary>
    public int JumpIf(int condition)
    {
        U8(0x0F);
        U8(0x80 | condition);
        U32(0);
        return Position;
    }

    /// <summary>A forward conditional jump over less than 128 bytes.</summary>
    public int ShortJumpIf(int condition)
    {
        U8(0x70 | condition);
        U8(0);
        return Position;
    }

    public void PatchShort(int jump) => _buffer[jump - 1] = checked((byte)(Position - jump));

    /// <summary>Makes a forward jump end here.</summary>
    public void Patch(int jump) => BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(jump - 4), Position - jump);

    /// <summary>Makes a forward jump end at an address elsewhere.</summary>
    public void ForwardTo(int jump, nint address) =>
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(jump - 4), (int)(address - (Origin + jump)));

    /// <summary>A forward jump; its place is later given to <see cref="Patch"/>.</summary>
    public int Jump()
    {
        U8(0xE9);
        U32(0);
        return Position;
    }

    /// <summary>A forward call; its place is later given to <see cref="Patch"/>.</summary>
    public int Call()
    {
        ChangeAddress();
        U8(0xE8);
        U32(0);
        return Position;
    }

    public void JumpBack(int position)
    {
        U8(0xE9);
        U32(position - (Position + 4));
    }

    public void JumpBackIf(int condition, int position)
    {
        U8(0x0F);
        U8(0x80 | condition);
        U32(position - (Position + 4));
    }

    public void JumpTo(nint address)
    {
        U8(0xE9);
        U32((int)(address - (Origin + Position + 4)));
    }

    public void JumpIfTo(int condition, nint address)
    {
        U8(0x0F);
        U8(0x80 | condition);
        U32((int)(address - (Origin + Position + 4)));
    }

    public void CallTo(nint address)
    {
        ChangeAddress();
        U8(0xE8);
        U32((int)(address - (Origin + Position + 4)));
    }

    public void JumpRegister(int register) => Op(0xFF, 4, register, wide: false);

    public void CallRegister(int register) => Op(0xFF, 2, register, wide: false);

    public void CallIndirect(in HostMemory m) => Op(0xFF, 2, m, wide: false);

    public void JumpIndirect(in HostMemory m) => Op(0xFF, 4, m, wide: false);
}
