using Akvam.Cpu.State;
using Iced.Intel;
using Register = Iced.Intel.Register;

namespace Akvam.Cpu.Interpreter;

/// <summary>Copies the operands of an Iced instruction into an <see cref="Insn"/>.</summary>
/// <remarks>Valid for the instruction slot that the decoder is filling.</remarks>
internal static unsafe class OperandFiller
{
    /// <summary>Fills the operands; true when one of them is explicit memory.</summary>
    public static bool Fill(CpuState* s, Insn* i, in Instruction x)
    {
        i->Base = i->Index = State.Register.ZeroOffset;
        i->Segment = State.Segment.Ds;
        InsnFlags flags = x.HasRepePrefix ? InsnFlags.Rep : InsnFlags.None;
        flags |= x.HasRepnePrefix ? InsnFlags.Repne : InsnFlags.None;
        flags |= x.HasLockPrefix ? InsnFlags.Lock : InsnFlags.None;
        bool memory = false;
        bool secondImmediate = false;
        bool addressed = false;
        for (int n = 0; n < x.OpCount; n++)
        {
            OpKind kind = x.GetOpKind(n);
            switch (kind)
            {
                case OpKind.Register:
                    SetRegister(i, n, x.GetOpRegister(n));
                    break;
                case OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64:
                    // The decoder's IP is the offset in the block, so the target comes out relative to the block's start.
                    i->Imm = (ulong)(long)(kind switch { OpKind.NearBranch16 => (short)x.NearBranch16, OpKind.NearBranch32 => (int)x.NearBranch32, _ => (long)x.NearBranch64 });
                    break;
                case OpKind.FarBranch16 or OpKind.FarBranch32:
                    i->Imm = ((ulong)x.FarBranchSelector << 32) | (kind == OpKind.FarBranch16 ? x.FarBranch16 : x.FarBranch32);
                    break;
                case OpKind.Immediate8_2nd:
                    secondImmediate = true;
                    break;
                case OpKind.Memory:
                    memory = addressed = true;
                    flags |= FillMemory(s, i, x);
                    break;
                case >= OpKind.Immediate8 and <= OpKind.Immediate32to64:
                    i->Imm = x.GetImmediate(n);
                    break;
                default:
                    addressed = true;
                    flags |= StringAddressSize(kind);
                    SetStringSegment(i, kind, x);
                    break;
            }
        }

        if (secondImmediate)
        {
            i->Disp = x.Immediate8_2nd;
        }

        i->Flags |= flags;
        if (!addressed)
        {
            // Implied memory (XLAT has an operand; MASKMOVDQU, MONITOR and the like come as string kinds): nothing to do.
            i->Flags |= AddressSizeOfMode(s);
        }

        return memory;
    }

    private static InsnFlags AddressSizeOfMode(CpuState* s) => (s->Mode & ModeKey.BitnessMask) switch
    {
        ModeKey.Code16 => InsnFlags.Addr16,
        ModeKey.Code32 => InsnFlags.Addr32,
        _ => InsnFlags.None,
    };

    private static InsnFlags FillMemory(CpuState* s, Insn* i, in Instruction x)
    {
        Register b = x.MemoryBase, index = x.MemoryIndex;
        i->Segment = SegmentNumber(x.MemorySegment);
        InsnFlags flags = InsnFlags.None;
        int size;
        if (b is Register.RIP or Register.EIP)
        {
            // Iced gives the target; the decoder's IP makes it relative to the block's first instruction.
            i->Base = State.Register.RipOffset;
            i->Disp = (int)(long)x.MemoryDisplacement64;
            size = b == Register.RIP ? 8 : 4;
        }
        else
        {
            i->Base = b == Register.None ? State.Register.ZeroOffset : GprOffset(b);
            bool vsib = index.IsVectorRegister();
            i->Index = index == Register.None ? State.Register.ZeroOffset : vsib ? (byte)(index.GetNumber()) : GprOffset(index);
            i->Scale = (byte)System.Numerics.BitOperations.TrailingZeroCount(x.MemoryIndexScale);
            size = AddressSize(x, b, vsib ? Register.None : index);
            if (x.Code is >= Code.Mov_AL_moffs8 and <= Code.Mov_moffs64_RAX)
            {
                i->Imm = x.MemoryDisplacement64;
                i->Disp = 0;
            }
            else
            {
                i->Disp = (int)x.MemoryDisplacement64;
            }
        }

        flags |= size switch { 2 => InsnFlags.Addr16, 4 => InsnFlags.Addr32, _ => InsnFlags.None };
        bool code64 = (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64;
        if (code64 && size == 8 && i->Segment is not (State.Segment.Fs or State.Segment.Gs))
        {
            flags |= InsnFlags.Flat;
        }

        return flags;
    }

    private static int AddressSize(in Instruction x, Register b, Register index)
    {
        Register r = b != Register.None ? b : index;
        if (r != Register.None)
        {
            return r.GetSize();
        }

        return x.MemoryDisplSize switch
        {
            2 => 2,
            8 => 8,
            _ => 4,
        };
    }

    private static void SetRegister(Insn* i, int operand, Register r)
    {
        byte value = r switch
        {
            >= Register.AL and <= Register.BL => (byte)((r - Register.AL) * 8),
            >= Register.AH and <= Register.BH => (byte)(((r - Register.AH) * 8) + 1),
            >= Register.SPL and <= Register.R15L => (byte)((r - Register.SPL + 4) * 8),
            _ when r.IsGPR() => GprOffset(r),
            _ when r.IsSegmentRegister() => SegmentNumber(r),
            _ => (byte)r.GetNumber(),
        };
        switch (operand)
        {
            case 0:
                i->R0 = value;
                break;
            case 1:
                i->R1 = value;
                break;
            case 2:
                i->R2 = value;
                break;
            default:
                // Fourth operand of VBLENDV and the FMA4 forms: the number takes the place of the immediate it is encoded in.
                i->Imm = value;
                break;
        }
    }

    private static byte GprOffset(Register r) => (byte)(r.GetNumber() * 8);

    private static byte SegmentNumber(Register r) => r switch
    {
        Register.ES => State.Segment.Es,
        Register.CS => State.Segment.Cs,
        Register.SS => State.Segment.Ss,
        Register.FS => State.Segment.Fs,
        Register.GS => State.Segment.Gs,
        _ => State.Segment.Ds,
    };

    private static InsnFlags StringAddressSize(OpKind kind) => kind switch
    {
        OpKind.MemorySegSI or OpKind.MemorySegDI or OpKind.MemoryESDI => InsnFlags.Addr16,
        OpKind.MemorySegESI or OpKind.MemorySegEDI or OpKind.MemoryESEDI => InsnFlags.Addr32,
        _ => InsnFlags.None,
    };

    private static void SetStringSegment(Insn* i, OpKind kind, in Instruction x)
    {
        if (kind is OpKind.MemorySegSI or OpKind.MemorySegESI or OpKind.MemorySegRSI or OpKind.MemorySegDI or OpKind.MemorySegEDI or OpKind.MemorySegRDI)
        {
            i->Segment = SegmentNumber(x.MemorySegment);
        }
    }
}
