namespace Akvam.Machine.Loading;

/// <summary>One range of the memory map.</summary>
/// <param name="Start">The first address.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Type">1 usable, 2 reserved.</param>
public readonly record struct E820Range(ulong Start, ulong Bytes, uint Type);
