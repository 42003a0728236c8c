namespace Akvam.Debugger.Lockstep;

/// <summary>Something in which two machines differ.</summary>
/// <param name="Field">Its name: a register, a field of a structure of the KVM ABI, an address.</param>
/// <param name="Reference">Its value on the interpreter.</param>
/// <param name="Subject">Its value on the translator.</param>
/// <param name="Address">Guest-physical address of the memory that differs, or null.</param>
public sealed record Difference(string Field, string Reference, string Subject, ulong? Address = null);
