namespace Akvam.Machine.Loading;

/// <summary>The operating modes a guest may start in.</summary>
public enum StartMode
{
    /// <summary>At the reset vector, with everything as after RESET.</summary>
    Reset,

    /// <summary>Real mode at a given segment and offset.</summary>
    Real,

    /// <summary>32-bit protected mode, flat segments, paging off.</summary>
    Protected32,

    /// <summary>64-bit mode, flat segments, identity-mapped page tables.</summary>
    Long64,
}
