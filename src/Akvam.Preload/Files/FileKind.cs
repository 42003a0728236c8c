namespace Akvam.Preload;

/// <summary>What a descriptor stands for; the numbers are those of <c>akvam.h</c>.</summary>
internal enum FileKind
{
    System = 0,
    Vm = 1,
    Vcpu = 2,
}
