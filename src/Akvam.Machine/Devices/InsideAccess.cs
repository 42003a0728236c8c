namespace Akvam.Machine.Devices;

/// <summary>Which accesses to a port are served in the middle of a run, without an exit.</summary>
[Flags]
public enum InsideAccess
{
    None = 0,
    Read = 1,
    Write = 2,
    All = Read | Write,

    /// <summary>Beside one of them: an access touches one word that nobody else looks at together with another, so it needs no lock.</summary>
    Unlocked = 4,
}
