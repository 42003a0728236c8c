namespace Akvam.Cpu.Native;

/// <summary>Where generated code lives: append-only, shared by the processors of a machine, freed as a whole when the machine is collected.</summary>
internal sealed class ExecutableMemory
{
    private const int ChunkSize = 1 << 20;

    private readonly List<CodeChunk> _chunks = [];
    private readonly Lock _lock = new();

    /// <summary>Copies position-independent code into executable memory and returns its address.</summary>
    public nint Add(ReadOnlySpan<byte> code)
    {
        lock (_lock)
        {
            nint address = _chunks.Count > 0 ? _chunks[^1].Add(code) : 0;
            if (address == 0)
            {
                _chunks.Add(new CodeChunk(Math.Max(ChunkSize, code.Length)));
                address = _chunks[^1].Add(code);
            }

            return address;
        }
    }
}
