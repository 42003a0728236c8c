namespace Akvam.Machine;

/// <summary>The guest's RAM as loaders and table builders see it.</summary>
public interface IGuestMemory
{
    /// <summary>How the RAM is laid out.</summary>
    GuestLayout Layout { get; }

    /// <summary>The <paramref name="length"/> bytes at guest-physical <paramref name="address"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not all of the range is RAM of one piece.</exception>
    Span<byte> Slice(ulong address, int length);
}
