namespace Akvam.Cpu;

/// <summary>What the processors of one virtual machine share.</summary>
public sealed class ProcessorGroup
{
}
