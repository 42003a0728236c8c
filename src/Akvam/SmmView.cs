namespace Akvam;

/// <summary>Where a processor stands with regard to System Management Mode.</summary>
/// <param name="InSmm">Whether it executes a handler now.</param>
/// <param name="Smbase">SMBASE, in bytes: the state-save image is 512 bytes at SMBASE + FE00h of address space 1.</param>
/// <param name="Count">SMIs taken since the last reset or INIT, as in MSR_SMI_COUNT.</param>
/// <param name="HasImage">Whether there is memory at the image's place.</param>
public readonly record struct SmmView(bool InSmm, ulong Smbase, ulong Count, bool HasImage);
