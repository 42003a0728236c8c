using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Native;

/// <summary>The stubs of one machine, built when an instruction of a new kind is decoded.</summary>
/// <remarks>Valid because entries are never removed: an address in an <see cref="Insn"/> stays good as long as its <see cref="ProcessorGroup"/>.</remarks>
internal sealed unsafe class HostStubs
{
    private readonly ExecutableMemory _memory = new();
    private readonly Dictionary<StubKey, Stub> _stubs = [];
    private readonly Lock _lock = new();

    /// <summary>Makes the code of an instruction, appending to the assembler, and says which handler calls it.</summary>
    public delegate void Builder(in Instruction guest, Assembler assembler, out nint handler);

    public Stub Get(StubKey key, in Instruction guest, Builder build)
    {
        lock (_lock)
        {
            if (!_stubs.TryGetValue(key, out Stub stub))
            {
                var assembler = new Assembler(64);
                build(in guest, assembler, out nint handler);
                var writer = new ByteWriter();
                assembler.Assemble(writer, 0);
                stub = new Stub(_memory.Add(writer.Bytes), (delegate*<CpuState*, Insn*, Flow>)handler);
                _stubs.Add(key, stub);
            }

            return stub;
        }
    }

    private sealed class ByteWriter : CodeWriter
    {
        private readonly List<byte> _bytes = [];

        public ReadOnlySpan<byte> Bytes => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes);

        public override void WriteByte(byte value) => _bytes.Add(value);
    }
}
