using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>RAM by physical address, in the address space (normal or SMM) that the processor is in: for PDPTEs and the SMRAM image.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class PhysicalAccess
{
    /// <summary>Reads <paramref name="size"/> bytes; false unless all of them are RAM.</summary>
    public static bool Read(CpuState* s, ulong address, void* to, int size) =>
        Processor.Of(s).Group.Memory.Read(s->InSmm, address, new Span<byte>(to, size));

    /// <summary>Writes <paramref name="size"/> bytes; false unless all of them are writable RAM.</summary>
    public static bool Write(CpuState* s, ulong address, void* from, int size) =>
        Processor.Of(s).Group.Memory.Write(s->InSmm, address, new ReadOnlySpan<byte>(from, size));
}
