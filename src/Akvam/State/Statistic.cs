namespace Akvam;

/// <summary>One counter of a VM or vCPU. [KVM 4.133]</summary>
/// <param name="Name">As KVM_GET_STATS_FD names it.</param>
/// <param name="Value">Since the VM or vCPU was created, or now.</param>
public readonly record struct Statistic(string Name, ulong Value);
