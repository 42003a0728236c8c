using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>FOP: the low three bits of the first opcode byte and the ModRM byte. [SDM1 8.1.9]</summary>
internal static class X87Opcode
{
    public static ushort Of(in Instruction instruction)
    {
        var writer = new Bytes();
        int bitness = instruction.CodeSize switch { CodeSize.Code16 => 16, CodeSize.Code32 => 32, _ => 64 };
        if (!Encoder.Create(bitness, writer).TryEncode(in instruction, instruction.IP, out _, out _))
        {
            return 0;
        }

        // Prefixes come before the escape byte; none of them is D8-DF.
        int at = writer.Values.FindIndex(b => (b & 0xF8) == 0xD8);
        return (ushort)(((writer.Values[at] & 7) << 8) | writer.Values[at + 1]);
    }

    private sealed class Bytes : CodeWriter
    {
        public List<byte> Values { get; } = [];

        public override void WriteByte(byte value) => Values.Add(value);
    }
}
