using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>Accesses that the TLB's fast path does not serve: misses, page crossings, MMIO, tracked and read-only pages, alignment checks.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe partial class SlowAccess
{
    public static bool Load(CpuState* s, ulong linear, byte* to, int size, ulong tag) => throw new NotSupportedException();

    public static Flow Store(CpuState* s, ulong linear, byte* from, int size, ulong tag) => throw new NotSupportedException();

    public static byte* BeginModify(CpuState* s, ulong linear, int size) => throw new NotSupportedException();

    public static Flow EndModify(CpuState* s, int size) => throw new NotSupportedException();

    public static bool Probe(CpuState* s, ulong linear, int size, AccessKind kind, ulong tag) => throw new NotSupportedException();
}
