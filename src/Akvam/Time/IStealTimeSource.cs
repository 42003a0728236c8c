namespace Akvam;

/// <summary>How long threads waited for a processor of the host, which a guest with MSR_KVM_STEAL_TIME is told; a replay supplies recorded times.</summary>
public interface IStealTimeSource
{
    /// <summary>Nanoseconds that the calling thread has waited since it began; it only grows.</summary>
    ulong WaitedNs();
}
