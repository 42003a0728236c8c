namespace Akvam.Cpu.Memory;

/// <summary>Is told of each page of a slot with a dirty log when its bit is set, by the thread that does: a processor's, or a device's.</summary>
public interface IDirtySink
{
    /// <param name="slot">The slot.</param>
    /// <param name="page">Number of the page in it.</param>
    void PageDirtied(MemorySlot slot, ulong page);
}
