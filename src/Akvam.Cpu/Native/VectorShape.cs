using Iced.Intel;

namespace Akvam.Cpu.Native;

/// <summary>What has to be known about a vector instruction to build and call its stub; from Iced's tables where they say it.</summary>
internal readonly record struct VectorShape
{
    /// <summary>Bytes of the memory operand; 0 without one.</summary>
    public int MemorySize { get; private init; }

    public bool WritesMemory { get; private init; }

    /// <summary>Operand 0 is a register that is written.</summary>
    public bool WritesRegister { get; private init; }

    /// <summary>A memory operand that is not aligned to its size raises #GP(0).</summary>
    public bool NeedsAlignment { get; private init; }

    public bool UsesMxcsr { get; private init; }

    public bool SetsFlags { get; private init; }

    /// <summary>An MMX register is an operand: the x87 unit is switched to MMX. Conversions from memory (CVTPI2PS xmm, m64) do not switch it.</summary>
    public bool UsesMmx { get; private init; }

    public bool WritesMmx { get; private init; }

    public ImplicitOperands Implicit { get; private init; }

    public static VectorShape Of(in Instruction instruction)
    {
        var factory = new InstructionInfoFactory();
        ref readonly InstructionInfo info = ref factory.GetInfo(instruction, InstructionInfoOptions.NoMemoryUsage | InstructionInfoOptions.NoRegisterUsage);
        int memory = -1;
        bool mmx = false;
        for (int op = 0; op < instruction.OpCount; op++)
        {
            memory = instruction.GetOpKind(op) == OpKind.Memory ? op : memory;
            mmx |= instruction.GetOpKind(op) == OpKind.Register && instruction.GetOpRegister(op).IsMM();
        }

        bool writes0 = info.GetOpAccess(0) is OpAccess.Write or OpAccess.ReadWrite or OpAccess.CondWrite or OpAccess.ReadCondWrite;
        int size = memory < 0 ? 0 : instruction.MemorySize.GetSize();
        return new VectorShape
        {
            MemorySize = size,
            WritesMemory = writes0 && memory == 0,
            WritesRegister = writes0 && memory != 0,
            NeedsAlignment = size == 16 && instruction.Code.Encoding() == EncodingKind.Legacy && !VectorNames.AllowsUnaligned(instruction.Mnemonic),
            UsesMxcsr = VectorNames.UsesMxcsr(instruction.Mnemonic),
            SetsFlags = VectorNames.TouchesFlags(instruction.RflagsModified),
            UsesMmx = mmx,
            WritesMmx = writes0 && memory != 0 && instruction.Op0Register.IsMM(),
            Implicit = VectorNames.Implicit(instruction.Mnemonic),
        };
    }
}
