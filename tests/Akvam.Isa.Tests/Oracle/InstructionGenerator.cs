using Iced.Intel;

namespace Akvam.Isa.Tests.Oracle;

/// <summary>Makes instructions of a given <see cref="Code"/> with random operands; memory operands lie in the scratch memory.</summary>
internal sealed class InstructionGenerator(Random random)
{
    /// <summary>Scratch address of the memory operand of the last instruction made.</summary>
    public ulong MemoryAddress { get; private set; }

    /// <summary>The register that the memory operand of the last instruction adds to its displacement, and an index register; None when there is none.</summary>
    public (Register Base, Register Index, int Scale, long Displacement) Address { get; private set; }

    /// <summary>True when the last instruction has an explicit memory operand.</summary>
    public bool HasMemory { get; private set; }

    /// <summary>An instruction, or null when this generator cannot make that form.</summary>
    public Instruction? TryMake(Code code, bool memory)
    {
        OpCodeInfo info = code.ToOpCode();
        Instruction x = default;
        x.Code = code;
        HasMemory = false;
        var used = new List<Register>();
        for (int n = 0; n < info.OpCount; n++)
        {
            if (!Operand(ref x, n, info.GetOpKind(n), memory, used))
            {
                return null;
            }
        }

        return memory == HasMemory ? x : null;
    }

    private bool Operand(ref Instruction x, int n, OpCodeOperandKind kind, bool memory, List<Register> used)
    {
        switch (kind)
        {
            case OpCodeOperandKind.mem or OpCodeOperandKind.mem_mpx:
                return memory && Memory(ref x, n);
            case OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
                or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem:
                if (memory)
                {
                    return Memory(ref x, n);
                }

                break;
        }

        Register r = kind switch
        {
            OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => Gpr8(),
            OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_rm or OpCodeOperandKind.r16_opcode or OpCodeOperandKind.r16_reg_mem => Gpr(Register.AX),
            OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_rm or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r32_vvvv or OpCodeOperandKind.r32_reg_mem => Gpr(Register.EAX),
            OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_rm or OpCodeOperandKind.r64_opcode or OpCodeOperandKind.r64_vvvv or OpCodeOperandKind.r64_reg_mem => Gpr(Register.RAX),
            OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm => Register.MM0 + random.Next(8),
            OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_is4 or OpCodeOperandKind.xmm_is5 => Register.XMM0 + random.Next(16),
            OpCodeOperandKind.ymm_or_mem or OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_rm or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_is4 or OpCodeOperandKind.ymm_is5 => Register.YMM0 + random.Next(16),
            OpCodeOperandKind.al => Register.AL,
            OpCodeOperandKind.cl => Register.CL,
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.dx => Register.DX,
            OpCodeOperandKind.eax => Register.EAX,
            OpCodeOperandKind.rax => Register.RAX,
            OpCodeOperandKind.st0 => Register.ST0,
            OpCodeOperandKind.sti_opcode => Register.ST0 + random.Next(8),
            _ => Register.None,
        };
        if (r != Register.None)
        {
            used.Add(r);
            x.SetOpKind(n, OpKind.Register);
            x.SetOpRegister(n, r);
            return true;
        }

        return Immediate(ref x, n, kind);
    }

    private bool Immediate(ref Instruction x, int n, OpCodeOperandKind kind)
    {
        (OpKind op, ulong value) = kind switch
        {
            OpCodeOperandKind.imm8 => (OpKind.Immediate8, (ulong)random.Next(256)),
            OpCodeOperandKind.imm8_const_1 => (OpKind.Immediate8, 1ul),
            OpCodeOperandKind.imm8sex16 => (OpKind.Immediate8to16, (ulong)(ushort)(short)random.Next(-128, 128)),
            OpCodeOperandKind.imm8sex32 => (OpKind.Immediate8to32, (ulong)(uint)random.Next(-128, 128)),
            OpCodeOperandKind.imm8sex64 => (OpKind.Immediate8to64, (ulong)(long)random.Next(-128, 128)),
            OpCodeOperandKind.imm16 => (OpKind.Immediate16, (ulong)random.Next(65536)),
            OpCodeOperandKind.imm32 => (OpKind.Immediate32, (ulong)(uint)random.NextInt64()),
            OpCodeOperandKind.imm32sex64 => (OpKind.Immediate32to64, (ulong)(long)(int)random.NextInt64()),
            OpCodeOperandKind.imm64 => (OpKind.Immediate64, (ulong)random.NextInt64(long.MinValue, long.MaxValue)),
            _ => (OpKind.Register, 0ul),
        };
        if (op == OpKind.Register)
        {
            return false;
        }

        if (op == OpKind.Immediate8 && n > 0 && x.GetOpKind(n - 1) == OpKind.Immediate8)
        {
            x.SetOpKind(n, OpKind.Immediate8_2nd);
            x.Immediate8_2nd = (byte)value;
            return true;
        }

        x.SetOpKind(n, op);
        switch (op)
        {
            case OpKind.Immediate8:
                x.Immediate8 = (byte)value;
                break;
            case OpKind.Immediate16:
                x.Immediate16 = (ushort)value;
                break;
            case OpKind.Immediate32:
                x.Immediate32 = (uint)value;
                break;
            case OpKind.Immediate64:
                x.Immediate64 = value;
                break;
            case OpKind.Immediate8to16:
                x.Immediate8to16 = (short)value;
                break;
            case OpKind.Immediate8to32:
                x.Immediate8to32 = (int)value;
                break;
            case OpKind.Immediate8to64:
                x.Immediate8to64 = (long)value;
                break;
            default:
                x.Immediate32to64 = (long)value;
                break;
        }

        return true;
    }

    private bool Memory(ref Instruction x, int n)
    {
        HasMemory = true;

        // Mostly aligned for the largest operands; now and then across a page.
        int offset = random.Next(8) == 0 ? 0x5000 - random.Next(1, 16) : 0x4000 + (random.Next(64) * 32);
        MemoryAddress = HostCpu.ScratchAddress + (ulong)offset;
        Register b = Pick(Register.RBX, Register.RBP, Register.RSI, Register.RDI, Register.R12, Register.R13);
        Register index = random.Next(2) == 0 ? Register.None : Pick(Register.R8, Register.R9, Register.R14);
        int scale = 1 << random.Next(4);
        int displacement = random.Next(3) switch { 0 => 0, 1 => random.Next(-128, 128), _ => random.Next(-100_000, 100_000) };
        x.SetOpKind(n, OpKind.Memory);
        x.MemoryBase = b;
        x.MemoryIndex = index;
        x.MemoryIndexScale = index == Register.None ? 1 : scale;
        x.MemoryDisplacement64 = (ulong)(long)displacement;
        x.MemoryDisplSize = displacement == 0 ? 0 : displacement is >= -128 and < 128 ? 1 : 8;
        Address = (b, index, x.MemoryIndexScale, displacement);
        return true;
    }

    /// <summary>Never RSP, which has to keep pointing to memory, and never a register that addresses memory.</summary>
    private Register Gpr(Register first) => first + new[] { 0, 1, 2, 10, 11, 15 }[random.Next(6)];

    private Register Gpr8() => random.Next(3) switch
    {
        0 => Pick(Register.AL, Register.CL, Register.DL),
        1 => Pick(Register.R10L, Register.R11L, Register.R15L),
        _ => Pick(Register.AH, Register.CH, Register.DH, Register.AL),
    };

    private Register Pick(params Register[] registers) => registers[random.Next(registers.Length)];
}
