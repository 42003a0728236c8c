namespace Akvam;

/// <summary>Where the guest's RDRAND and RDSEED come from; a replay supplies recorded numbers.</summary>
public interface IRandomSource
{
    /// <summary>64 random bits; from any thread.</summary>
    ulong Next();
}
