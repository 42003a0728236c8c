namespace Akvam.Cpu.Translator;

/// <summary>Condition numbers of Jcc that the translator itself uses.</summary>
internal static class HostCondition
{
    public const int Below = 2, AboveOrEqual = 3, Equal = 4, NotEqual = 5, BelowOrEqual = 6, Above = 7;
}
