namespace Akvam;

/// <summary>What a counter is.</summary>
/// <param name="Name">Its name, at most 47 characters.</param>
/// <param name="Flags">KVM_STATS_*.</param>
/// <param name="Exponent">The unit is 10 to this power.</param>
internal readonly record struct StatisticsKind(string Name, uint Flags = 0, short Exponent = 0);
