using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>Which operands of an encoding stand in ModRM.rm, in ModRM.reg and in the low bits of the opcode; -1: none does.</summary>
internal readonly record struct Encoding(int Rm, int Reg, int InOpcode)
{
    public bool HasModRm => Rm >= 0;

    public static Encoding Of(in Instruction x)
    {
        OpCodeInfo info = x.OpCode;
        int rm = -1, reg = -1, inOpcode = -1;
        for (int n = 0; n < info.OpCount; n++)
        {
            switch (info.GetOpKind(n))
            {
                case OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.mem:
                    rm = n;
                    break;
                case OpCodeOperandKind.r8_reg or OpCodeOperandKind.r16_reg or OpCodeOperandKind.r32_reg or OpCodeOperandKind.r64_reg:
                    reg = n;
                    break;
                case OpCodeOperandKind.r8_opcode or OpCodeOperandKind.r16_opcode or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r64_opcode:
                    inOpcode = n;
                    break;
            }
        }

        return new Encoding(rm, reg, inOpcode);
    }
}
