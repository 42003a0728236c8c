namespace Akvam.Debugger.Smram;

/// <summary>What a field of an image holds, for showing and converting it.</summary>
public enum SmramFieldKind
{
    Number,
    Selector,
    Rights,
    Limit,
    Base,
    Cr0,
    Cr4,
    Efer,
    Rflags,
    Dr6,
    Dr7,
    Revision,
    Shadow,
}
