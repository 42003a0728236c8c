namespace Akvam.Cpu.Cpuid;

/// <summary>Where a word of <see cref="Feature"/> is found.</summary>
internal enum FeatureWord
{
    Leaf1Edx, Leaf1Ecx, Leaf7Ebx, Leaf7Ecx, Leaf7Edx, LeafD1Eax, Leaf80000001Edx, Leaf80000001Ecx, Leaf80000008Ebx, Leaf80000021Eax, Leaf6Eax, Leaf8000000AEdx, Count,
}
