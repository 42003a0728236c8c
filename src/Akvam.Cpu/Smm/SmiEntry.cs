namespace Akvam.Cpu.Smm;

internal static class SmiEntry
{
    public static void Enter(Processor processor) => throw new NotSupportedException();
}
