using Akvam.Cpu.Diagnostics;

namespace Akvam.Diagnostics;

/// <summary>Keeps a copy of each translation, the latest of each address.</summary>
internal sealed class TranslationStore : ITranslationObserver
{
    private readonly Dictionary<ulong, Copy> _copies = [];

    public void Translated(in Translation translation) => _copies[translation.Linear] =
        new Copy(translation.Bitness, translation.Guest.ToArray(), translation.HostAddress, translation.Host.ToArray());

    /// <summary>Guest and host code of what starts at a linear address, or null.</summary>
    public string? Describe(ulong linear) => !_copies.TryGetValue(linear, out Copy? copy) ? null : CodeListing.Format(new Translation
    {
        Linear = linear,
        Bitness = copy.Bitness,
        Guest = copy.Guest,
        HostAddress = copy.HostAddress,
        Host = copy.Host,
    });

    private sealed record Copy(int Bitness, byte[] Guest, nint HostAddress, byte[] Host);
}
