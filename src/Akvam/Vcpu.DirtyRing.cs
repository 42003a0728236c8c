namespace Akvam;

/// <content>The pages that this vCPU dirties. [KVM 8.29]</content>
public sealed unsafe partial class Vcpu
{
    private int _runningThread;

    /// <summary>Null: the VM keeps bitmaps.</summary>
    internal DirtyRing? DirtyRing { get; }

    /// <summary>The calling thread is in <see cref="Run"/> of this vCPU.</summary>
    internal bool IsRunningHere => Volatile.Read(ref _runningThread) == Environment.CurrentManagedThreadId;

    internal void NoteDirty(uint slot, ulong page)
    {
        if (DirtyRing is { } ring)
        {
            ring.Push(slot, page);
            if (ring.IsSoftFull)
            {
                Post(Cpu.State.Request.Kick);
            }
        }
    }
}
