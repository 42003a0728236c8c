namespace Akvam.Isa.Tests;

/// <summary>The execution modes that a <see cref="TestMachine"/> can be put into.</summary>
public enum GuestMode
{
    Real,
    BigReal,
    Virtual8086,
    Protected16,
    Protected32,
    Protected32Paged,
    Pae,
    Compatibility16,
    Compatibility32,
    Long,
    LongUser,
}
