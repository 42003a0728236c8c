namespace Akvam.Cpu.Translator;

/// <summary>Condition numbers of Jcc that the translator itself uses.</summary>
internal static class HostCondition
{
    public const int Equal = 4, NotEqual = 5;
}
